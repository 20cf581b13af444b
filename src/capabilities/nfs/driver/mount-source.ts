// What is mounted, as `mount` names it.

/** `server:share/subDir`; an IPv6 address in brackets. */
export function mountSource(server: string, share: string, subDir: string): string {
  // IPv6 addresses have colons, as what is between server and path.
  const source = `${/^[^[\]]*:[^[\]]*:[^[\]]*$/.test(server) ? `[${server}]` : server}:${share}`
  return subDir === '' ? source : `${source.replace(/\/+$/, '')}/${subDir}`
}
