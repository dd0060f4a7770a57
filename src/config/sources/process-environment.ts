/** The environment of the process, for those who start it all; every other room is handed a Config. */
export const processEnvironment: NodeJS.ProcessEnv = process.env
