import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** The JDBC driver at the console. Prints a JSON line for each check. */
final class ConsoleClient {
  private interface Check {
    void run(Statement statement) throws SQLException;
  }

  public static void main(String[] args) {
    for (String options : new String[] {"", "?preferQueryMode=simple", "?prepareThreshold=-1"}) {
      for (boolean autoCommit : new boolean[] {true, false}) {
        String name = "JDBC" + options + (autoCommit ? "" : ", without autocommit");
        check(name, options, autoCommit, ConsoleClient::look);
      }
      check("JDBC" + options + ", refused", options, true, ConsoleClient::beRefused);
    }
  }

  private static void look(Statement statement) throws SQLException {
    if (!statement.getConnection().isValid(5)) throw new SQLException("not valid");
    for (String command : new String[] {"POOLS", "STATS", "DATABASES", "TENANTS", "VERSION"}) {
      try (ResultSet rows = statement.executeQuery("SHOW " + command)) {
        while (rows.next()) rows.getObject(1);
      }
    }
    try (ResultSet rows = statement.executeQuery("SHOW LISTS")) {
      if (!rows.next() || rows.getInt("items") < 0) throw new SQLException("no lists");
    }
  }

  private static void beRefused(Statement statement) throws SQLException {
    try {
      statement.execute("PAUSE");
    } catch (SQLException error) {
      if ("42501".equals(error.getSQLState())) return;
      throw error;
    }
    throw new SQLException("not refused");
  }

  private static void check(String name, String options, boolean autoCommit, Check check) {
    String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/pgusher" + options;
    String detail = "";
    try (Connection connection =
            DriverManager.getConnection(
                url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
      connection.setAutoCommit(autoCommit);
      try (Statement statement = connection.createStatement()) {
        check.run(statement);
      }
      if (!autoCommit) connection.commit();
    } catch (SQLException error) {
      detail = error.toString().replaceAll("[^ -~]", " ").replace('"', '\'').replace('\\', '/');
    }
    System.out.println(
        "{\"check\":\"" + name + "\",\"ok\":" + detail.isEmpty() + ",\"detail\":\"" + detail + "\"}");
  }
}
