// `ballast agent` with a role of NFS as the image runs it, in a site of folders. Its API server is nowhere: what the part needs of it is asked again and again.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { freePorts } from '../test/real/control-plane/free-ports.ts'
import type { Program } from '../test/real/mirror/laboratory/program.ts'
import type { NfsSite } from '../test/real/nfs/site.ts'

interface NodePart {
  readonly program: Program
  readonly socket: string
}

/** @param ballast path of the bundled program */
export async function startNodePart(site: NfsSite, ballast: string, role: string): Promise<NodePart> {
  const kubeletDir = join(site.root, 'kubelet')
  for (const folder of ['plugins/csi-nfsplugin', 'plugins_registry']) mkdirSync(join(kubeletDir, folder), { recursive: true })
  const config = join(site.root, 'config.yaml')
  const nfs = { enabled: true, kubeletDir, controller: { workingMountDir: join(site.root, 'work') } }
  writeFileSync(
    config,
    JSON.stringify({ apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', capabilities: { nfs } }),
  )
  const [health, metrics] = await freePorts(2)
  const program = site.startProgram(
    [
      process.execPath,
      ballast,
      'agent',
      `--role=${role}`,
      `--config=${config}`,
      `--kubeconfig=${kubeconfig(site.root)}`,
      '--node-name=n1',
      `--health-probe-bind-address=127.0.0.1:${health}`,
      `--metrics-bind-address=127.0.0.1:${metrics}`,
    ],
    { env: { ...ofTheImage, PATH: process.env['PATH'] ?? '' } },
  )
  return { program, socket: join(kubeletDir, 'plugins', 'csi-nfsplugin', 'csi.sock') }
}

function kubeconfig(directory: string): string {
  const path = join(directory, 'kubeconfig')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'none',
    contexts: [{ name: 'none', context: { cluster: 'none', user: 'none' } }],
    clusters: [{ name: 'none', cluster: { server: 'https://127.0.0.1:9' } }],
    users: [{ name: 'none', user: { token: 'none' } }],
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}
