import type { Act, Attack, Ground } from './attack.ts'

type Texts = Readonly<Record<string, (ground: Ground) => readonly Act[]>>

const OWNED = 'below `sealed` the server login owns what belongs to all tenants'

/** What the victim's statements mean, changed by things that are put where it looks first. */
const SHADOWS: Texts = {
  'a function that fits better than that of Postgres': (g) => [
    `CREATE FUNCTION ${g.theirSchema}.upper(varchar) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$`,
  ],
  'an operator that fits better than that of Postgres': (g) => [
    `CREATE FUNCTION ${g.theirSchema}.f(varchar, varchar) RETURNS boolean LANGUAGE sql
       AS 'SELECT false';
     CREATE OPERATOR ${g.theirSchema}.=
       (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = ${g.theirSchema}.f)`,
  ],
  'a function in the place of its own': (g) => [
    `CREATE OR REPLACE FUNCTION ${g.theirSchema}.greeting() RETURNS text LANGUAGE sql
       AS $$SELECT 'gotcha'$$`,
  ],
  'a function of its own with other rights': (g) => [
    `CREATE OR REPLACE FUNCTION ${g.theirSchema}.greeting() RETURNS text LANGUAGE sql
       SECURITY DEFINER AS $$SELECT 'gotcha'$$`,
  ],
  'a function with a path of the attacker': (g) => [
    `CREATE OR REPLACE FUNCTION ${g.theirSchema}.greeting() RETURNS text LANGUAGE sql
       SET search_path = pg_catalog AS $$SELECT current_setting('search_path')$$`,
  ],
  'a function that is gone': (g) => [`DROP FUNCTION ${g.theirSchema}.greeting()`],
  'a function of another name': (g) => [`ALTER FUNCTION ${g.theirSchema}.greeting() RENAME TO x`],
  'a view in the place of a table': (g) => [
    `ALTER TABLE ${g.theirItems} RENAME TO x;
     CREATE VIEW ${g.theirItems} AS SELECT id, 'gotcha'::varchar AS note FROM ${g.theirSchema}.x`,
  ],
  'a rule': (g) => [`CREATE RULE r AS ON INSERT TO ${g.theirItems} DO INSTEAD NOTHING`],
  'a trigger': (g) => [
    `CREATE FUNCTION ${g.theirSchema}.f() RETURNS trigger LANGUAGE plpgsql
       AS $$BEGIN NEW.note := 'gotcha'; RETURN NEW; END$$;
     CREATE TRIGGER t BEFORE INSERT ON ${g.theirItems}
       FOR EACH ROW EXECUTE FUNCTION ${g.theirSchema}.f()`,
  ],
  'a trigger that talks': (g) => [
    `CREATE FUNCTION ${g.theirSchema}.f() RETURNS trigger LANGUAGE plpgsql
       AS $$BEGIN RAISE NOTICE 'gotcha'; RETURN NEW; END$$;
     CREATE TRIGGER t BEFORE INSERT ON ${g.theirItems}
       FOR EACH ROW EXECUTE FUNCTION ${g.theirSchema}.f()`,
  ],
  'a condition': (g) => [`ALTER TABLE ${g.theirItems} ADD CONSTRAINT c CHECK (id < 50)`],
  'an index that is unique': (g) => [
    `INSERT INTO ${g.theirItems} (id, note) VALUES (98, 'mine');
     CREATE UNIQUE INDEX ON ${g.theirItems} (note)`,
  ],
  'a column of another type': (g) => [
    `ALTER TABLE ${g.theirItems} ALTER id TYPE text USING 'x' || id`,
  ],
  'a column of another name': (g) => [`ALTER TABLE ${g.theirItems} RENAME note TO x`],
  'rights that are taken': (g) => [
    `REVOKE ALL ON ${g.theirItems} FROM CURRENT_USER, ${g.theirRole}`,
  ],
  'a sequence': (g) => [`SELECT setval('${g.theirSchema}.numbers', 1000)`],
  'a sequence that starts anew': (g) => [`ALTER SEQUENCE ${g.theirSchema}.numbers RESTART WITH 77`],
  'a table that is dropped': (g) => [`DROP TABLE ${g.theirItems}`],
  'a table that is emptied': (g) => [`TRUNCATE ${g.theirItems}`],
  'a table that is moved': (g) => [
    `CREATE SCHEMA IF NOT EXISTS other; ALTER TABLE ${g.theirItems} SET SCHEMA other`,
  ],
  'a schema that is dropped': (g) => [`DROP SCHEMA ${g.theirSchema} CASCADE`],
  'a schema of another name': (g) => [`ALTER SCHEMA ${g.theirSchema} RENAME TO x`],
  'row security that lets nothing pass': (g) => [
    `ALTER TABLE ${g.theirItems} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
     CREATE POLICY p ON ${g.theirItems} AS RESTRICTIVE USING (false)`,
  ],
}

/** The victim's rows by their qualified name. */
const WRITES: Texts = {
  'an insert': (g) => [`INSERT INTO ${g.theirItems} VALUES (2, 'gotcha')`],
  'an update': (g) => [`UPDATE ${g.theirItems} SET note = 'gotcha'`],
  'a delete': (g) => [`DELETE FROM ${g.theirItems}`],
  'a merge': (g) => [
    `MERGE INTO ${g.theirItems} AS old USING (VALUES (1)) AS v(id) ON old.id = v.id
     WHEN MATCHED THEN UPDATE SET note = 'gotcha'`,
  ],
  'a copy': (g) => [
    {
      bytes: copyIn(`COPY ${g.theirItems} (id, note) FROM STDIN`, '2\tgotcha\n'),
      answers: 1,
    },
  ],
  'a CTE': (g) => [
    `WITH x AS (UPDATE ${g.theirItems} SET note = 'gotcha' RETURNING 1) SELECT * FROM x`,
  ],
  'a view': (g) => [`CREATE TEMP VIEW x AS TABLE ${g.theirItems}; UPDATE x SET note = 'gotcha'`],
  'a table that inherits': (g) => [
    `CREATE TABLE ${g.mine}.x () INHERITS (${g.theirItems}); INSERT INTO ${g.mine}.x VALUES (2, 'gotcha')`,
  ],
  'a function of SQL': (g) => [
    `CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE sql
       BEGIN ATOMIC UPDATE ${g.theirItems} SET note = 'gotcha'; END; SELECT pg_temp.f()`,
  ],
  'a foreign key that deletes along': (g) => [
    `CREATE TABLE ${g.mine}.x (id int PRIMARY KEY); INSERT INTO ${g.mine}.x VALUES (1);
     ALTER TABLE ${g.theirItems} ADD FOREIGN KEY (id) REFERENCES ${g.mine}.x ON DELETE CASCADE;
     DELETE FROM ${g.mine}.x`,
  ],
}

function copyIn(sql: string, data: string): Buffer {
  const message = (code: string, body: string) => {
    const bytes = Buffer.from(`${code}\0\0\0\0${body}`)
    bytes.writeInt32BE(bytes.length - 1, 1)
    return bytes
  }
  return Buffer.concat([message('Q', `${sql}\0`), message('d', data), message('c', '')])
}

/** Doors that the owner of a shared table opens; the application's login owns none at `sealed`. */
const OPENED: Texts = {
  'row security that is off': () => ['ALTER TABLE items DISABLE ROW LEVEL SECURITY', READ_ALL],
  'row security that spares the owner': () => [
    'ALTER TABLE items NO FORCE ROW LEVEL SECURITY',
    READ_ALL,
  ],
  'a policy that is dropped': () => [
    "DO $$DECLARE p record; BEGIN FOR p IN SELECT polname FROM pg_policy LOOP EXECUTE format('DROP POLICY %I ON items', p.polname); END LOOP; END$$; CREATE POLICY p ON items USING (true)",
    READ_ALL,
  ],
  'a policy that is changed': () => ['ALTER POLICY tenant ON items USING (true)', READ_ALL],
  'a policy beside it': () => ['CREATE POLICY p ON items USING (true)', READ_ALL],
  'a function with the rights of the owner': () => [
    `ALTER TABLE items NO FORCE ROW LEVEL SECURITY;
     CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
       AS 'SELECT note FROM items'`,
    'SELECT pg_temp.f()',
  ],
  'a trigger that copies': (g) => [
    `CREATE TABLE public.stolen (note text);
     CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql
       AS $$BEGIN INSERT INTO public.stolen VALUES (NEW.note); RETURN NEW; END$$;
     CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION public.f()`,
    { victim: `INSERT INTO items (id, note) VALUES (60, '${g.secret}')` },
    { victim: 'DELETE FROM items WHERE id = 60' },
    'TABLE public.stolen',
  ],
  'a function that copies': (g) => [
    `CREATE TABLE public.stolen (note text);
     CREATE FUNCTION public.upper(x varchar) RETURNS text LANGUAGE plpgsql
       AS $$BEGIN INSERT INTO public.stolen VALUES (x); RETURN pg_catalog.upper(x::text); END$$`,
    { victim: `SELECT upper(note) FROM items WHERE note <> '${g.theirs}'` },
    'TABLE public.stolen',
  ],
  'a default that gives rows away': (g) => [
    `ALTER TABLE items ALTER tenant_id SET DEFAULT '${g.mine}', DISABLE ROW LEVEL SECURITY`,
    { victim: `INSERT INTO items (id, note) VALUES (61, '${g.secret}')` },
    'SELECT note FROM items',
    { victim: 'DELETE FROM items WHERE id = 61' },
  ],
}

const READ_ALL = 'SELECT note FROM items'

/** The same at the victim's own schema. */
const PLANTED: Texts = {
  'a trigger that copies': (g) => [
    `CREATE TABLE ${g.mine}.stolen (note text); GRANT ALL ON ${g.mine}.stolen TO PUBLIC;
     CREATE FUNCTION ${g.theirSchema}.f() RETURNS trigger LANGUAGE plpgsql
       AS $$BEGIN INSERT INTO ${g.mine}.stolen VALUES (NEW.note); RETURN NEW; END$$;
     CREATE TRIGGER t BEFORE INSERT ON ${g.theirItems}
       FOR EACH ROW EXECUTE FUNCTION ${g.theirSchema}.f()`,
    { victim: `INSERT INTO items (id, note) VALUES (60, '${g.secret}')` },
    { victim: 'DELETE FROM items WHERE id = 60' },
    `TABLE ${g.mine}.stolen`,
  ],
  'rights by default': (g) => [
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${g.theirSchema} GRANT ALL ON TABLES TO PUBLIC`,
    { victim: `CREATE TABLE x AS SELECT '${g.secret}'::text AS note` },
    `SELECT note FROM ${g.theirSchema}.x`,
  ],
  'a function in public that copies': () => [
    `CREATE TABLE public.stolen (note text); GRANT ALL ON public.stolen TO PUBLIC;
     CREATE FUNCTION public.lower(x varchar) RETURNS text LANGUAGE plpgsql
       AS $$BEGIN INSERT INTO public.stolen VALUES (x); RETURN pg_catalog.lower(x::text); END$$`,
    { victim: 'SELECT lower(note) FROM items' },
    'TABLE public.stolen',
  ],
}

function scarring(texts: Texts, common: Pick<Attack, 'strategy' | 'aim'>): readonly Attack[] {
  return Object.entries(texts).map(([name, acts]) => ({
    name: `object: ${name}`,
    ...common,
    acts,
    stoppedBy: 'sealed',
    note: OWNED,
    scars: true,
  }))
}

/** What the victim finds changed. */
export const CHANGED: readonly Attack[] = scarring(SHADOWS, { strategy: 'both', aim: 'write' })

/** What is written for the victim, and what the victim's own statements give away. */
export const PLANTS: readonly Attack[] = [
  ...scarring(WRITES, { strategy: 'schema', aim: 'write' }),
  ...scarring(OPENED, { strategy: 'row', aim: 'read' }),
  ...scarring(PLANTED, { strategy: 'schema', aim: 'read' }),
]
