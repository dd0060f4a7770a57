import { sql } from '../support/postgres.ts'
import { query } from '../support/raw-client.ts'
import type { Script } from '../support/transcript.ts'
import { type Act, type Program, perform, type Stage } from './transcript-fixture.ts'

const SHOW_ALL = `SELECT name, setting, reset_val, source FROM pg_settings WHERE source = 'client' ORDER BY name`

/** What a greeting has put in force. */
const look: Script = (talk) => talk.run(SHOW_ALL, "SELECT current_setting('my.own', true)")

const GREETINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nothing: {},
  'reported settings': {
    application_name: 'it\'s \\ "one"',
    TimeZone: 'Asia/Kathmandu',
    datestyle: 'German, DMY',
    IntervalStyle: 'iso_8601',
    standard_conforming_strings: 'off',
  },
  'other settings': { extra_float_digits: '3', work_mem: '7MB', 'my.own': 'a value' },
  'a setting of every unit': { statement_timeout: '1min', lock_timeout: '1500', work_mem: '65536' },
  'an encoding': { client_encoding: 'LATIN1', application_name: 'plain' },
  'an encoding in quotes': { client_encoding: "'utf-8'" },
  options: { options: '-c work_mem=7MB --statement-timeout=4321 -cDateStyle=SQL,\\ MDY' },
  'escapes in options': {
    options:
      '  -c  application_name=a\\ b\\\\c\\td   -c my.own=\\ \\\\ --IntervalStyle=sql_standard ',
  },
  'the same setting twice': {
    options: '-c work_mem=1MB -c work_mem=2MB -c application_name=of_options',
    application_name: 'of the packet',
    WORK_MEM: '3MB',
  },
  'letters beyond ASCII': { application_name: 'Grüße €', 'my.own': 'ü' },
  'a long name': { application_name: 'n'.repeat(100) },
  'an empty value': { application_name: '', options: '' },
}

/** Only where a client may choose its own. */
const SEARCH_PATHS: readonly string[] = ['public', '"$user", public', 'nowhere, "Ünïcode"', '']

const REFUSALS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a wrong value': { TimeZone: 'Mars/Olympus' },
  'a value without a unit': { work_mem: '7 parsecs' },
  'a value out of range': { work_mem: '1' },
  'a value out of a list': { intervalstyle: 'klingon' },
  'an unknown encoding': { client_encoding: 'KLINGON' },
  'a wrong value in options': { options: '-c work_mem=lots' },
  'an unknown name': { no_such_setting: '1' },
  'an unknown name in options': { options: '-c no_such_setting=1' },
  'a name for the configuration file': { shared_buffers: '1GB' },
  'a name for superusers': { log_min_messages: 'panic' },
  'a name that nobody sets': { server_version: '99' },
}

/** Postgres has had them since 17. */
const TRIGGER = `
  CREATE OR REPLACE FUNCTION greet() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE 'hello' USING HINT = 'Sit down.'; END $$;
  DROP EVENT TRIGGER IF EXISTS greet;
  CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION greet()`

function program({ place, major, server }: Stage): Program {
  const acts: Record<string, Act> = {}
  for (const [name, parameters] of Object.entries({ ...GREETINGS, ...REFUSALS })) {
    acts[name] = { parameters, script: look }
  }
  acts['what comes with the login'] = { script: (talk) => talk.run('SHOW TimeZone') }
  if (place.tenant === 'acme') {
    for (const search_path of SEARCH_PATHS) {
      acts[`search_path ${search_path}`] = { parameters: { search_path }, script: look }
    }
  }
  if (major === 18) {
    Object.assign(acts, VERSIONS)
    acts['before a trigger of the login'] = {
      script: async () => {
        await sql(server, place.database, TRIGGER)
      },
    }
    acts['what a trigger of the login says'] = {
      parameters: { application_name: 'n'.repeat(80) },
      script: look,
    }
  }
  return acts
}

/** What Postgres 18 speaks; older ones speak 3.0 alone, the proxy speaks 3.2 in front of them. */
const VERSIONS: Program = {
  'protocol 3.2': { version: (3 << 16) | 2, script: (talk) => talk.run('SELECT 1') },
  'protocol 3.1': { version: (3 << 16) | 1, script: (talk) => talk.run('SELECT 1') },
  'a later protocol': { version: (3 << 16) | 99, script: (talk) => talk.run('SELECT 1') },
  'an unknown protocol option': {
    version: (3 << 16) | 2,
    parameters: { '_pq_.fancy': '1' },
    script: async (talk) => {
      await talk.ask(query('SELECT 1'))
    },
  },
}

await perform(program)
