/**
 * What a command begins with so that no Node in it loads the hooks of tap, which tap asks of every
 * program that a test starts, and which not every program survives. It is replaced by the command.
 */
export const WITHOUT_HOOKS = ['/usr/bin/env', '-u', 'NODE_OPTIONS'] as const
