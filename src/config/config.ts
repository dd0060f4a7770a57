import type { ConsoleLogin } from '../admin/console/console.ts'
import type { SharedServer } from '../catalog/documents/tenant-records.ts'
import type { CatalogRecords } from '../catalog/records.ts'
import type { ClientTlsOptions } from '../session/login/client-tls.ts'
import type { CatalogPlaces } from './catalog-places.ts'
import type { SettingGroups } from './settings-schema.ts'

/**
 * The whole configuration: checked, complete with its defaults, frozen to the last value.
 * `docs/config.md` says what each setting means.
 */
export interface Config extends SettingGroups {
  /** The logins and tenants of the file, with all that `servers` and the defaults say about them. */
  readonly records: CatalogRecords
  /** The logins of the console, without plain passwords. */
  readonly consoleLogins: readonly ConsoleLogin[]
  /** The entries of `servers`, by name. */
  readonly sharedServers: ReadonlyMap<string, SharedServer>
  /** What `catalog` names, read. */
  readonly catalogPlaces: CatalogPlaces
  /** The files of `tls.client`, read; `undefined` where clients are not offered TLS. */
  readonly clientTls: ClientTlsOptions | undefined
}
