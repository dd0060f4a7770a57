import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;

/** Runs checks one after another and prints a JSON line for each, as `runProgram` reads them. */
final class Suite {
  /** A check fails by throwing; its connection is closed for it. */
  interface Check {
    void run(Connection connection) throws Exception;
  }

  private static final int ROUNDS_BETWEEN_SWAPS = 7;
  private static final BufferedReader ANSWERS =
      new BufferedReader(new InputStreamReader(System.in));

  final String tenant = env("PGUSHER_TENANT");
  final String strategy = env("PGUSHER_STRATEGY");
  final boolean sharesServers = env("PGUSHER_MODE").equals("transaction");

  static String env(String name) {
    return Objects.requireNonNull(System.getenv(name), name);
  }

  void check(String name, Check check) {
    check(name, Map.of(), check);
  }

  void check(String name, Map<String, String> options, Check check) {
    try (Connection connection = connect(options)) {
      check.run(connection);
      report(name, true, "");
    } catch (Exception | AssertionError error) {
      report(name, false, describe(error));
    }
  }

  /** The tag travels in the user, unless {@code options} name another user. */
  Connection connect(Map<String, String> options) throws SQLException {
    var properties = new Properties();
    properties.put("user", env("PGUSER"));
    properties.put("password", env("PGPASSWORD"));
    properties.putAll(options);
    return DriverManager.getConnection(url(), properties);
  }

  static String url() {
    return "jdbc:postgresql://%s:%s/%s".formatted(env("PGHOST"), env("PGPORT"), env("PGDATABASE"));
  }

  /**
   * Runs {@code work} {@code rounds} times, each in a transaction of its own. In between, every few
   * rounds, the server connection changes hands; where sessions keep theirs, others work.
   */
  void onChangingServers(Connection connection, int rounds, Work work) throws SQLException {
    int before = 0;
    for (int round = 0; round < rounds; round++) {
      int server = work.run(round);
      if (!connection.getAutoCommit()) connection.commit();
      boolean isSwapped = round > 0 && round % ROUNDS_BETWEEN_SWAPS == 0;
      if (isSwapped) equal(server != before, sharesServers, "another server, round " + round);
      if (isNextSwapped(round)) swap(server);
      before = server;
    }
    swap(0);
  }

  private static boolean isNextSwapped(int round) {
    return (round + 1) % ROUNDS_BETWEEN_SWAPS == 0;
  }

  /** Has others use all free server connections, and keep the one with that process id. */
  static void swap(int server) {
    System.out.printf("{\"swap\":%d}%n", server);
    try {
      if (ANSWERS.readLine() == null) throw new AssertionError("nobody swaps");
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** One transaction; answers with the process id of the server that it ran on. */
  interface Work {
    int run(int round) throws SQLException;
  }

  static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  /** Also where a check that failed has left its table. */
  static void createTable(Connection connection, String name, String columns) throws SQLException {
    execute(connection, "DROP TABLE IF EXISTS " + name + "; CREATE TABLE " + name + " " + columns);
  }

  static String text(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      return rows.next() ? rows.getString(1) : "no row";
    }
  }

  static void equal(Object found, Object wanted, String what) {
    if (!Objects.equals(found, wanted)) {
      throw new AssertionError(what + ": found " + found + ", wanted " + wanted);
    }
  }

  interface Action {
    void run() throws SQLException;
  }

  /** That {@code action} fails with a SQLSTATE. */
  static void fails(String sqlState, Action action) {
    try {
      action.run();
    } catch (SQLException error) {
      if (sqlState.equals(error.getSQLState())) return;
      throw new AssertionError("wanted " + sqlState + ", got " + describe(error), error);
    }
    throw new AssertionError("did not fail, wanted " + sqlState);
  }

  private static String describe(Throwable error) {
    String state = error instanceof SQLException failure ? failure.getSQLState() + " " : "";
    var at = error.getStackTrace();
    for (var frame : at) {
      if (frame.getFileName() != null && frame.getFileName().startsWith("Pgjdbc")) {
        return state + error + " at " + frame.getFileName() + ":" + frame.getLineNumber();
      }
    }
    return state + error;
  }

  private static void report(String check, boolean ok, String detail) {
    System.out.printf(
        "{\"check\":%s,\"ok\":%b,\"detail\":%s}%n", quote(check), ok, quote(detail));
  }

  private static String quote(String text) {
    var quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < ' ') quoted.append("\\u%04x".formatted((int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
