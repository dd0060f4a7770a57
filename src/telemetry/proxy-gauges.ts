import { Gauge, type Registry } from 'prom-client'
import type { ProxyState } from './proxy-state.ts'

interface ProxyGauge {
  readonly name: string
  readonly help: string
  readonly read: (state: ProxyState) => number
}

const GAUGES: readonly ProxyGauge[] = [
  {
    name: 'pgusher_client_connections',
    help: 'Client connections, logged in or not.',
    read: (state) => state.clientCount(),
  },
  {
    name: 'pgusher_max_client_connections',
    help: 'Most client connections; 0 where there is no limit.',
    read: (state) => state.maxClients(),
  },
  {
    name: 'pgusher_sessions',
    help: 'Clients that are logged in.',
    read: (state) => state.sessionCount(),
  },
  {
    name: 'pgusher_tenants_with_sessions',
    help: 'Tenants of which a client is logged in.',
    read: (state) => state.tenantCount(),
  },
  {
    name: 'pgusher_paused_tenants',
    help: 'Tenants that an operator has paused; where all are, those with a session, or 1.',
    read: (state) => state.pausedTenants(),
  },
  {
    name: 'pgusher_catalog_tenants',
    help: 'Tenants that the configuration file lists.',
    read: (state) => state.catalogTenants(),
  },
  {
    name: 'pgusher_draining',
    help: '1 from the word to drain until the process ends, else 0.',
    read: (state) => (state.isDraining() ? 1 : 0),
  },
]

/** Returns what sets the gauges of the proxy as a whole. */
export function proxyGauges(registry: Registry): (state: ProxyState) => void {
  const gauges = GAUGES.map(({ name, help, read }) => ({
    gauge: new Gauge({ name, help, registers: [registry] }),
    read,
  }))
  return (state) => {
    for (const { gauge, read } of gauges) gauge.set(read(state))
  }
}
