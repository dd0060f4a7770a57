import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Map;
import org.postgresql.PGStatement;

/** Statements that the driver prepares on the server, from the fifth execution on. */
final class PgjdbcPrepared {
  private static final String OWNER =
      "SELECT owner, pg_backend_pid(), ?::int + 1 FROM items WHERE id = ?";

  static void run(Suite suite) {
    suite.check("prepared statements past the threshold", c -> manyExecutions(suite, c));
    suite.check(
        "prepared statements from the first execution, in binary",
        Map.of("prepareThreshold", "-1"),
        c -> manyExecutions(suite, c));
    suite.check("prepared statements in transactions", c -> inTransactions(suite, c));
    suite.check(
        "autosave=always", Map.of("autosave", "always"), c -> autosave(suite, c));
    suite.check(
        "more statements than the driver's cache holds",
        Map.of("preparedStatementCacheQueries", "4", "prepareThreshold", "1"),
        c -> manyStatements(suite, c));
    suite.check("an error in a prepared statement", c -> failing(suite, c));
    suite.check("a table that changes under its statement", c -> changedTable(suite, c));
    suite.check(
        "a table that changes under its statement, in transactions",
        Map.of("autosave", "conservative"),
        c -> changedTableInTransaction(suite, c));
    suite.check("DISCARD ALL and DEALLOCATE ALL", c -> discarded(suite, c));
    suite.check("fetch size", c -> fetchSize(suite, c));
  }

  private static void manyExecutions(Suite suite, Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(OWNER)) {
      suite.onChangingServers(connection, 20, round -> ask(suite, statement, round));
      Suite.equal(isPrepared(statement), true, "prepared on the server");
    }
  }

  private static void inTransactions(Suite suite, Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try (PreparedStatement statement = connection.prepareStatement(OWNER)) {
      suite.onChangingServers(
          connection,
          20,
          round -> {
            int first = ask(suite, statement, round);
            Suite.equal(ask(suite, statement, round), first, "server within a transaction");
            return first;
          });
      Suite.equal(isPrepared(statement), true, "prepared on the server");
    }
  }

  private static void autosave(Suite suite, Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try (PreparedStatement statement = connection.prepareStatement(OWNER);
        PreparedStatement divide = connection.prepareStatement("SELECT 1 / ?::int")) {
      suite.onChangingServers(
          connection,
          20,
          round -> {
            int server = ask(suite, statement, round);
            divide.setInt(1, 0);
            Suite.fails("22012", divide::executeQuery);
            Suite.equal(ask(suite, statement, round), server, "server after the error");
            return server;
          });
    }
  }

  private static void manyStatements(Suite suite, Connection connection) throws SQLException {
    suite.onChangingServers(
        connection,
        40,
        round -> {
          String sql = OWNER + " AND " + round % 20 + " = " + round % 20;
          try (PreparedStatement statement = connection.prepareStatement(sql)) {
            return ask(suite, statement, round);
          }
        });
  }

  private static void failing(Suite suite, Connection connection) throws SQLException {
    String sql = "SELECT owner, pg_backend_pid(), 1 / ?::int FROM items";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      suite.onChangingServers(
          connection,
          20,
          round -> {
            statement.setInt(1, 0);
            Suite.fails("22012", statement::executeQuery);
            statement.setInt(1, 1);
            try (ResultSet row = statement.executeQuery()) {
              row.next();
              Suite.equal(row.getString(1), suite.tenant, "owner");
              return row.getInt(2);
            }
          });
    }
  }

  private static void changedTable(Suite suite, Connection connection) throws SQLException {
    Suite.createTable(connection, "jdbc_plan", "(a int)");
    Suite.execute(connection, "INSERT INTO jdbc_plan VALUES (1)");
    String sql = "SELECT *, pg_backend_pid() FROM jdbc_plan";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int column = 1; column <= 3; column++) {
        int columns = column + 1;
        suite.onChangingServers(connection, 20, round -> columns(statement, columns));
        Suite.execute(connection, "ALTER TABLE jdbc_plan ADD COLUMN extra" + column + " int");
      }
    }
    Suite.execute(connection, "DROP TABLE jdbc_plan");
  }

  private static void changedTableInTransaction(Suite suite, Connection connection)
      throws SQLException {
    Suite.createTable(connection, "jdbc_plan2", "(a int)");
    Suite.execute(connection, "INSERT INTO jdbc_plan2 VALUES (1)");
    connection.setAutoCommit(false);
    String sql = "SELECT *, pg_backend_pid() FROM jdbc_plan2";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      suite.onChangingServers(connection, 20, round -> columns(statement, 2));
      Suite.execute(connection, "ALTER TABLE jdbc_plan2 ADD COLUMN b int");
      connection.commit();
      suite.onChangingServers(connection, 20, round -> columns(statement, 3));
    }
    Suite.execute(connection, "DROP TABLE jdbc_plan2");
    connection.commit();
  }

  /** Reads the one row; its last column is the server's process id. */
  private static int columns(PreparedStatement statement, int wanted) throws SQLException {
    try (ResultSet row = statement.executeQuery()) {
      row.next();
      Suite.equal(row.getMetaData().getColumnCount(), wanted, "columns");
      return row.getInt(wanted);
    }
  }

  private static void discarded(Suite suite, Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(OWNER)) {
      for (String command : new String[] {"DEALLOCATE ALL", "DISCARD ALL"}) {
        suite.onChangingServers(connection, 8, round -> ask(suite, statement, round));
        Suite.execute(connection, command);
        suite.onChangingServers(connection, 8, round -> ask(suite, statement, round));
      }
    }
  }

  private static void fetchSize(Suite suite, Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    String sql = "SELECT n, pg_backend_pid() FROM generate_series(1, 700) n";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setFetchSize(50);
      suite.onChangingServers(
          connection,
          8,
          round -> {
            try (ResultSet rows = statement.executeQuery()) {
              int server = 0;
              int count = 0;
              while (rows.next()) {
                count++;
                Suite.equal(rows.getInt(1), count, "row");
                if (server != 0) Suite.equal(rows.getInt(2), server, "server");
                server = rows.getInt(2);
              }
              Suite.equal(count, 700, "rows");
              return server;
            }
          });
    }
  }

  private static int ask(Suite suite, PreparedStatement statement, int round) throws SQLException {
    statement.setInt(1, round);
    statement.setInt(2, 1);
    try (ResultSet row = statement.executeQuery()) {
      Suite.equal(row.next(), true, "a row");
      Suite.equal(row.getString(1), suite.tenant, "owner");
      Suite.equal(row.getInt(3), round + 1, "sum");
      return row.getInt(2);
    }
  }

  private static boolean isPrepared(PreparedStatement statement) throws SQLException {
    return statement.unwrap(PGStatement.class).isUseServerPrepare();
  }
}
