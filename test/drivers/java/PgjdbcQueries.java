import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObjectManager;

/** Connecting, values, transactions, batches, copies, cancel. */
final class PgjdbcQueries {
  private static final int LARGE = 8 * 1024 * 1024;
  private static final String QUERY_CANCELED = "57014";
  private static final String DIVISION_BY_ZERO = "22012";
  private static final String UNIQUE_VIOLATION = "23505";
  private static final String FAILED_TRANSACTION = "25P02";

  static void run(Suite suite) {
    suite.check("tag in the user", connection -> ownRows(suite, connection));
    suite.check(
        "tag in options",
        Map.of("user", Suite.env("PGUSHER_LOGIN"), "options", "-c pgusher.tenant=" + suite.tenant),
        connection -> ownRows(suite, connection));
    suite.check(
        "simple query mode",
        Map.of("preferQueryMode", "simple"),
        connection -> ownRows(suite, connection));
    suite.check("typed parameters", PgjdbcQueries::typedParameters);
    suite.check(
        "typed parameters in binary",
        Map.of("prepareThreshold", "-1"),
        PgjdbcQueries::typedParameters);
    suite.check("savepoint and rollback", PgjdbcQueries::savepoint);
    suite.check("error in the middle of a transaction", c -> failingTransaction(suite, c));
    suite.check("batch", connection -> batch(connection));
    suite.check(
        "rewritten batch", Map.of("reWriteBatchedInserts", "true"), connection -> batch(connection));
    suite.check("error in the middle of a batch", connection -> failingBatch(suite, connection));
    suite.check("large values", PgjdbcQueries::largeValues);
    suite.check("COPY", connection -> copy(suite, connection));
    suite.check("cancel", connection -> cancel(suite, connection));
    suite.check("query timeout", connection -> queryTimeout(suite, connection));
    suite.check("several statements in one string", PgjdbcQueries::severalStatements);
    suite.check("large objects by function call", PgjdbcQueries::largeObjects);
  }

  static void ownRows(Suite suite, Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT owner FROM items")) {
      Suite.equal(rows.next(), true, "a row");
      Suite.equal(rows.getString("owner"), suite.tenant, "owner");
      Suite.equal(rows.next(), false, "another row");
    }
  }

  private static void typedParameters(Connection connection) throws SQLException {
    var uuid = UUID.fromString("6e1f2d30-8a0f-4c7b-9d7e-0123456789ab");
    var date = LocalDate.of(2024, 2, 29);
    var moment = OffsetDateTime.parse("2024-02-29T12:34:56.789Z");
    var bytes = new byte[] {0, 1, -1, 92, 39};
    String sql = "SELECT ?::int, ?::bigint, ?::numeric, ?::boolean, ?::date, ?::timestamptz,"
        + " ?::bytea, ?::uuid, ?::int[], ?::jsonb ->> 'a', ?::text";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setInt(1, -7);
      statement.setLong(2, Long.MAX_VALUE);
      statement.setBigDecimal(3, new BigDecimal("12345678901234567890.12345"));
      statement.setBoolean(4, true);
      statement.setObject(5, date);
      statement.setObject(6, moment);
      statement.setBytes(7, bytes);
      statement.setObject(8, uuid);
      statement.setArray(9, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
      statement.setString(10, "{\"a\": \"ü\"}");
      statement.setNull(11, java.sql.Types.VARCHAR);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        Suite.equal(row.getInt(1), -7, "int");
        Suite.equal(row.getLong(2), Long.MAX_VALUE, "bigint");
        Suite.equal(row.getBigDecimal(3), new BigDecimal("12345678901234567890.12345"), "numeric");
        Suite.equal(row.getBoolean(4), true, "boolean");
        Suite.equal(row.getObject(5, LocalDate.class), date, "date");
        Suite.equal(
            row.getObject(6, OffsetDateTime.class).toInstant(), moment.toInstant(), "timestamptz");
        Suite.equal(Arrays.equals(row.getBytes(7), bytes), true, "bytea");
        Suite.equal(row.getObject(8), uuid, "uuid");
        Suite.equal(Arrays.toString((Object[]) row.getArray(9).getArray()), "[1, null, 3]", "int[]");
        Suite.equal(row.getString(10), "ü", "jsonb");
        Suite.equal(row.getString(11), null, "null");
      }
    }
  }

  private static void savepoint(Connection connection) throws SQLException {
    Suite.createTable(connection, "jdbc_savepoint", "(n int PRIMARY KEY)");
    connection.setAutoCommit(false);
    Suite.execute(connection, "INSERT INTO jdbc_savepoint VALUES (1)");
    var savepoint = connection.setSavepoint("before two");
    Suite.execute(connection, "INSERT INTO jdbc_savepoint VALUES (2)");
    Suite.fails(
        UNIQUE_VIOLATION,
        () -> Suite.execute(connection, "INSERT INTO jdbc_savepoint VALUES (1)"));
    connection.rollback(savepoint);
    Suite.execute(connection, "INSERT INTO jdbc_savepoint VALUES (3)");
    connection.commit();
    Suite.execute(connection, "INSERT INTO jdbc_savepoint VALUES (4)");
    connection.rollback();
    connection.setAutoCommit(true);
    String found = Suite.text(connection, "SELECT array_agg(n ORDER BY n) FROM jdbc_savepoint");
    Suite.equal(found, "{1,3}", "what was committed");
    Suite.execute(connection, "DROP TABLE jdbc_savepoint");
  }

  private static void failingTransaction(Suite suite, Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    Suite.text(connection, "SELECT 1");
    Suite.fails(DIVISION_BY_ZERO, () -> Suite.text(connection, "SELECT 1 / 0"));
    Suite.fails(FAILED_TRANSACTION, () -> Suite.text(connection, "SELECT 1"));
    connection.rollback();
    ownRows(suite, connection);
    connection.commit();
  }

  private static void batch(Connection connection) throws SQLException {
    Suite.createTable(connection, "jdbc_batch", "(n int PRIMARY KEY, label text)");
    String insert = "INSERT INTO jdbc_batch (n, label) VALUES (?, ?)";
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      for (int n = 0; n < 1000; n++) {
        statement.setInt(1, n);
        statement.setString(2, "label " + n);
        statement.addBatch();
      }
      Suite.equal(statement.executeBatch().length, 1000, "results");
    }
    try (Statement statement = connection.createStatement()) {
      statement.addBatch("UPDATE jdbc_batch SET label = 'low' WHERE n < 10");
      statement.addBatch("DELETE FROM jdbc_batch WHERE n >= 500");
      Suite.equal(Arrays.toString(statement.executeBatch()), "[10, 500]", "counts");
    }
    Suite.equal(Suite.text(connection, "SELECT count(*) FROM jdbc_batch"), "500", "rows");
    Suite.execute(connection, "DROP TABLE jdbc_batch");
  }

  private static void failingBatch(Suite suite, Connection connection) throws SQLException {
    Suite.createTable(connection, "jdbc_failing", "(n int PRIMARY KEY)");
    String insert = "INSERT INTO jdbc_failing VALUES (?)";
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      for (int n : new int[] {1, 2, 2, 3}) {
        statement.setInt(1, n);
        statement.addBatch();
      }
      statement.executeBatch();
      throw new AssertionError("the batch did not fail");
    } catch (BatchUpdateException error) {
      Suite.equal(error.getSQLState(), UNIQUE_VIOLATION, "SQLSTATE");
    }
    Suite.equal(Suite.text(connection, "SELECT count(*) FROM jdbc_failing"), "0", "rows");
    ownRows(suite, connection);
    Suite.execute(connection, "DROP TABLE jdbc_failing");
  }

  private static void largeValues(Connection connection) throws SQLException {
    var bytes = new byte[LARGE];
    for (int i = 0; i < LARGE; i++) bytes[i] = (byte) (i * 31);
    String text = "ä".repeat(LARGE / 2);
    try (PreparedStatement statement = connection.prepareStatement("SELECT ?::bytea, ?::text")) {
      statement.setBytes(1, bytes);
      statement.setString(2, text);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        Suite.equal(Arrays.equals(row.getBytes(1), bytes), true, "bytea");
        Suite.equal(row.getString(2).equals(text), true, "text");
      }
    }
  }

  private static void copy(Suite suite, Connection connection) throws Exception {
    Suite.createTable(connection, "jdbc_copy", "(n int, label text)");
    var manager = connection.unwrap(PGConnection.class).getCopyAPI();
    var lines = new StringBuilder();
    for (int n = 0; n < 5000; n++) lines.append(n).append("\tlabel ").append(n).append('\n');
    long in = manager.copyIn("COPY jdbc_copy FROM STDIN", new StringReader(lines.toString()));
    Suite.equal(in, 5000L, "rows in");
    var out = new StringWriter();
    manager.copyOut("COPY (SELECT * FROM jdbc_copy ORDER BY n) TO STDOUT", out);
    Suite.equal(out.toString().equals(lines.toString()), true, "rows out");
    var canceled = manager.copyIn("COPY jdbc_copy FROM STDIN");
    byte[] row = "1\tx\n".getBytes(StandardCharsets.UTF_8);
    canceled.writeToCopy(row, 0, row.length);
    canceled.cancelCopy();
    Suite.fails(
        "22P02",
        () -> {
          try {
            manager.copyIn("COPY jdbc_copy FROM STDIN", new StringReader("no number\tx\n"));
          } catch (java.io.IOException error) {
            throw new AssertionError(error);
          }
        });
    Suite.equal(Suite.text(connection, "SELECT count(*) FROM jdbc_copy"), "5000", "rows");
    ownRows(suite, connection);
    Suite.execute(connection, "DROP TABLE jdbc_copy");
  }

  private static void cancel(Suite suite, Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      var query =
          CompletableFuture.runAsync(
              () -> Suite.fails(QUERY_CANCELED, () -> statement.execute("SELECT pg_sleep(60)")));
      awaitSleeper(suite);
      statement.cancel();
      query.get();
    }
    ownRows(suite, connection);
  }

  /** A cancel that comes before its query does nothing, so wait until the server runs it. */
  private static void awaitSleeper(Suite suite) throws SQLException {
    try (Connection observer = suite.connect(Map.of())) {
      String sleepers = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
          + " AND query = 'SELECT pg_sleep(60)'";
      for (int round = 0; !Suite.text(observer, sleepers).equals("1"); round++) {
        if (round == 10_000) throw new AssertionError("the query to cancel was not seen");
      }
    }
  }

  private static void queryTimeout(Suite suite, Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      Suite.fails(QUERY_CANCELED, () -> statement.execute("SELECT pg_sleep(60)"));
    }
    ownRows(suite, connection);
  }

  private static void severalStatements(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      Suite.equal(statement.execute("SELECT 1; SELECT 'a;b'; SELECT 3"), true, "has rows");
      Suite.equal(statement.getMoreResults(), true, "second");
      statement.getResultSet().next();
      Suite.equal(statement.getResultSet().getString(1), "a;b", "second result");
      Suite.equal(statement.getMoreResults(), true, "third");
      Suite.fails(DIVISION_BY_ZERO, () -> statement.execute("SELECT 1; SELECT 1 / 0; SELECT 3"));
    }
  }

  private static void largeObjects(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
    long id = manager.createLO();
    try (var object = manager.open(id, LargeObjectManager.READWRITE)) {
      object.write("written by function call".getBytes(StandardCharsets.UTF_8));
      object.seek(11);
      String read = new String(object.read(13), StandardCharsets.UTF_8);
      Suite.equal(read, "function call", "what was read");
    }
    manager.delete(id);
    connection.commit();
  }
}
