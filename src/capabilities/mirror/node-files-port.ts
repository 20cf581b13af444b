// The hosts files of a node as the configuration wants them: for whoever puts them there, be it the agent or a pod before it. Pure.
import { createHash } from 'node:crypto'
import type { NodeFile, NodeFiles } from '#coordination/ports/node-files.ts'
import type { MirrorConfig } from './config.ts'
import { parseHostsWish, plainHostsText } from './node-files/hosts-wish.ts'
import type { HostsWish } from './node-files/options.ts'
import { hostsFileName } from './node-files/wanted-tree.ts'

/** Long for a port of the same node; as upstream has it. */
const dialTimeout = '200ms'
const fileMode = 0o644

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

/** What the port `node-files` answers. A Secret of basic authentication is not read by the controller: such files only agents write. */
export function nodeFilesOf(config: MirrorConfig): NodeFiles {
  const directory = config.containerdRegistryConfigPath
  return {
    directories: [directory],
    filesFor({ ip }) {
      const { directories, hosts } = parseHostsWish(hostsWishOf(config, ip))
      const files = directories.map(
        (one): NodeFile => ({
          path: `${directory}/${one.name}/${hostsFileName}`,
          mode: fileMode,
          content: plainHostsText(one, hosts),
        }),
      )
      const said = files.map(({ path, mode, content }) => [path, mode, content])
      return { files, digest: `sha256:${createHash('sha256').update(JSON.stringify(said)).digest('hex')}` }
    },
  }
}
