/** The way to the registry, and nothing that changes how programs run: tap's own would. */
const INHERITED =
  /^(PATH|HOME|npm_config_(cache|registry|userconfig|cafile)|.*_proxy|NODE_EXTRA_CA_CERTS)$/i

/**
 * The environment of npm, and of what a build starts.
 *
 * @param programs - A folder of programs that come before those of the machine.
 */
export function npmEnvironment(programs?: string): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => INHERITED.test(name)),
  )
  const { PATH: path = '' } = inherited
  return {
    ...inherited,
    PATH: programs === undefined ? path : `${programs}:${path}`,
    npm_config_prefer_offline: 'true',
  }
}
