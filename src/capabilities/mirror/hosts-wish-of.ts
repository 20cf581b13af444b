// What containerd's hosts files are to say, from the configuration and the node's address. Apart, so that who only says it loads no writer.
import type { MirrorConfig } from './config.ts'
import type { HostsWish } from './node-files/options.ts'

/** Long for a port of the same node; as upstream has it. */
const dialTimeout = '200ms'

/** `ip`: the node's own, with or without brackets. */
export function hostsWishOf(config: MirrorConfig, ip: string, basicAuth?: HostsWish['basicAuth']): HostsWish {
  const [port] = config.ports
  const host = ip.includes(':') && !ip.startsWith('[') ? `[${ip}]` : ip
  return {
    mirroredRegistries: config.registries,
    mirrorTargets: [`http://${host}:${port}`, ...config.additionalTargets],
    resolveTags: config.tags !== 'never',
    dialTimeout,
    basicAuth,
  }
}
