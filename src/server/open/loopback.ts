import { BlockList, isIP, isIPv6 } from 'node:net'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** True for an address that only this machine can have: 127.0.0.0/8, mapped or not, and ::1. */
export function isLoopbackAddress(address: string): boolean {
  return LOOPBACK.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Whether a host is given by its address: such a one has no name for TLS to send. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0
}
