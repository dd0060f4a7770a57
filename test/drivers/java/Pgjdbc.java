/** What an application does through pgjdbc; see the shared harness for how it is started. */
public final class Pgjdbc {
  public static void main(String[] args) {
    var suite = new Suite();
    PgjdbcQueries.run(suite);
    PgjdbcPrepared.run(suite);
    PgjdbcSession.run(suite);
  }
}
