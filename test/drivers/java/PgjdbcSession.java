import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import org.postgresql.PGConnection;

/** Session state that an application sets once and counts on from then on. */
final class PgjdbcSession {
  private static final int ROUNDS = 4;
  private static final String READ_ONLY_TRANSACTION = "25006";

  static void run(Suite suite) {
    suite.check("read-only transactions", PgjdbcSession::readOnlyTransactions);
    suite.check(
        "read-only session", Map.of("readOnlyMode", "always"), PgjdbcSession::readOnlySession);
    suite.check("setTransactionIsolation", PgjdbcSession::isolation);
    suite.check("setSchema", connection -> schema(suite, connection));
    suite.check("setClientInfo", PgjdbcSession::clientInfo);
    suite.check("temporary tables", PgjdbcSession::temporaryTables);
    suite.check("LISTEN and NOTIFY", connection -> notifications(suite, connection));
    suite.check("session advisory locks", connection -> advisoryLock(suite, connection));
    suite.check("settings of the driver stay", PgjdbcSession::driverSettings);
  }

  private static void readOnlyTransactions(Connection connection) throws SQLException {
    connection.setReadOnly(true);
    connection.setAutoCommit(false);
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.fails(
          READ_ONLY_TRANSACTION, () -> Suite.execute(connection, "CREATE TABLE jdbc_never (n int)"));
      connection.rollback();
    }
    connection.setReadOnly(false);
    Suite.execute(connection, "CREATE TABLE jdbc_writable (n int); DROP TABLE jdbc_writable");
    connection.commit();
  }

  private static void readOnlySession(Connection connection) throws SQLException {
    connection.setReadOnly(true);
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.fails(
          READ_ONLY_TRANSACTION, () -> Suite.execute(connection, "CREATE TABLE jdbc_never (n int)"));
    }
    connection.setReadOnly(false);
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.execute(connection, "CREATE TABLE jdbc_writable (n int); DROP TABLE jdbc_writable");
    }
  }

  private static void isolation(Connection connection) throws SQLException {
    connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    connection.setAutoCommit(false);
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      String level = Suite.text(connection, "SHOW transaction_isolation");
      Suite.equal(level, "serializable", "isolation in round " + round);
      connection.commit();
    }
    Suite.equal(
        connection.getTransactionIsolation(), Connection.TRANSACTION_SERIALIZABLE, "what it says");
  }

  private static void schema(Suite suite, Connection connection) throws SQLException {
    String own = Suite.text(connection, "SELECT current_schema()");
    connection.setSchema(own);
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.equal(connection.getSchema(), own, "schema in round " + round);
      PgjdbcQueries.ownRows(suite, connection);
    }
    if (suite.strategy.equals("database")) otherSchema(suite, connection);
  }

  /** A database of its own may have any schemas. */
  private static void otherSchema(Suite suite, Connection connection) throws SQLException {
    Suite.execute(connection, "DROP SCHEMA IF EXISTS jdbc_other CASCADE; CREATE SCHEMA jdbc_other;"
        + " CREATE TABLE jdbc_other.items (n int)");
    connection.setSchema("jdbc_other");
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.equal(Suite.text(connection, "SELECT count(*) FROM items"), "0", "the other table");
    }
    connection.setSchema("public");
    PgjdbcQueries.ownRows(suite, connection);
    Suite.execute(connection, "DROP SCHEMA jdbc_other CASCADE");
  }

  private static void clientInfo(Connection connection) throws SQLException {
    connection.setClientInfo("ApplicationName", "billing's run");
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      String name = Suite.text(connection, "SHOW application_name");
      Suite.equal(name, "billing's run", "name in round " + round);
    }
  }

  private static void temporaryTables(Connection connection) throws SQLException {
    Suite.execute(connection, "CREATE TEMPORARY TABLE jdbc_temporary (n int)");
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.execute(connection, "INSERT INTO jdbc_temporary VALUES (" + round + ")");
    }
    String count = Suite.text(connection, "SELECT count(*) FROM jdbc_temporary");
    Suite.equal(count, Integer.toString(ROUNDS), "rows");
    Suite.execute(connection, "DROP TABLE jdbc_temporary");
  }

  private static void notifications(Suite suite, Connection connection) throws SQLException {
    Suite.execute(connection, "LISTEN jdbc_channel");
    Suite.swap(0);
    try (Connection speaker = suite.connect(Map.of())) {
      Suite.execute(speaker, "NOTIFY jdbc_channel, 'for " + suite.tenant + "'");
    }
    var heard = connection.unwrap(PGConnection.class).getNotifications(10_000);
    Suite.equal(heard == null ? 0 : heard.length, 1, "notifications");
    Suite.equal(heard[0].getParameter(), "for " + suite.tenant, "payload");
    Suite.execute(connection, "UNLISTEN jdbc_channel");
  }

  private static void advisoryLock(Suite suite, Connection connection) throws SQLException {
    Suite.text(connection, "SELECT pg_advisory_lock(20240229)");
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      String held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
          + " AND objid = 20240229 AND pid = pg_backend_pid()";
      Suite.equal(Suite.text(connection, held), "1", "locks held in round " + round);
    }
    String unlocked = Suite.text(connection, "SELECT pg_advisory_unlock(20240229)");
    Suite.equal(unlocked, "t", "unlocked");
    PgjdbcQueries.ownRows(suite, connection);
  }

  /** pgjdbc sets these after it has connected, and reads values by them. */
  private static void driverSettings(Connection connection) throws SQLException {
    for (int round = 0; round < ROUNDS; round++) {
      Suite.swap(0);
      Suite.equal(Suite.text(connection, "SHOW extra_float_digits"), "3", "extra_float_digits");
      Suite.equal(Suite.text(connection, "SELECT 0.1::float4::float8"), "0.10000000149011612", "float");
    }
  }
}
