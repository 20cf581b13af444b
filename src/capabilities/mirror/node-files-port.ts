// The hosts files of a node as the configuration wants them: for whoever puts them there, be it the agent or a pod before it. Pure.
import { createHash } from 'node:crypto'
import type { NodeFile, NodeFiles } from '#coordination/ports/node-files.ts'
import type { MirrorConfig } from './config.ts'
import { hostsWishOf } from './hosts-wish-of.ts'
import { parseHostsWish, plainHostsText } from './node-files/hosts-wish.ts'
import { hostsFileName } from './node-files/wanted-tree.ts'

const fileMode = 0o644

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
