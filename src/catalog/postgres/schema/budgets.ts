/** How many connections a server may get from the pools of all tenants there. */
export const BUDGETS = `
ALTER TABLE pgusher.servers
  ADD COLUMN max_connections integer,
  ADD CONSTRAINT servers_max_connections_is_from_1_to_10000
    CHECK (max_connections BETWEEN 1 AND 10000);
`
