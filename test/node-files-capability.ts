// A stand-in for the mirror's half of the operator mode: a capability that offers one hosts file for every node.
import { z } from 'zod'
import { type Capability, capability } from '#coordination/capability.ts'
import { nodeFilesPort } from '#coordination/ports/node-files.ts'

export const nodeFilesDigest = `sha256:${'a'.repeat(64)}`

/** What the mirror offers, in a capability of its own. */
export const nodeFiles: Capability = capability({
  name: 'node-files',
  config: z.object({}),
  kinds: [],
  replaces: [],
  disrupts: [],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: [],
      permissions: [],
      listeners: [],
      offers: [nodeFilesPort],
      takes: [],
      start: async ({ ports }) => {
        const path = '/etc/containerd/certs.d/_default/hosts.toml'
        ports.offer(nodeFilesPort, {
          directories: ['/etc/containerd/certs.d'],
          filesFor: ({ ip }) => ({
            digest: nodeFilesDigest,
            files: [{ path, mode: 0o644, content: `[host.'http://${ip}:30020']\n` }],
          }),
        })
        return { health: () => [], reconfigure: async () => 'applied', [Symbol.asyncDispose]: async () => undefined }
      },
    },
  ],
  leaves: [],
})
