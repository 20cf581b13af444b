// Where the page lies on its host: `/` or what the server was told, `/ballast/`.

const given = document.documentElement.dataset['base'] ?? '/'
const prefix = given.replace(/\/$/, '')

/** A path below the base path, `/plan/a`, as the browser asks for it. */
export const onHost = (path: string): string => `${prefix}${path}`

/** The path below the base path of one of the host's; undefined where it lies outside. */
export const belowBase = (path: string): string | undefined => {
  if (prefix === '') return path
  if (path === prefix) return '/'
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined
}
