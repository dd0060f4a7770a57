/** Told what becomes of Redis; must not throw. */
export interface RedisObserver {
  /** A node serves and its changes are tracked. */
  nodeUp(address: string): void
  /** A node does not serve; told once for each outage. */
  nodeLost(address: string, reason: string): void
  /** A value is not used; told once a minute for each key. `reason` holds nothing of the value. */
  valueUnreadable(key: string, reason: string): void
}
