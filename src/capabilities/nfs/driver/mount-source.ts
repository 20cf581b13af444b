// What is mounted, as `mount` names it.

/** `server:share/subDir`; an IPv6 address in brackets. */
export function mountSource(server: string, share: string, subDir: string): string {
  // IPv6 addresses have colons, as what is between server and path.
  const host = /^[^[\]]*:[^[\]]*:[^[\]]*$/.test(server) ? `[${server}]` : server
  // Newer ones of mount.nfs take `nfs://` for a URL, whatever a server is called.
  const source = `${host}:${share.replace(/^\/+/, '/')}`
  return subDir === '' ? source : `${source.replace(/\/+$/, '')}/${subDir}`
}
