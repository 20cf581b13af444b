// What the real nfd-worker publishes of a tree: it runs in the tree as its root, and publishes to a server of ours that writes the object down.

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { workerConfigPath } from '../../../src/capabilities/features/discovery/worker-config.ts'
import { PartUnavailable } from '../cache.ts'
import { runCommand } from '../run-command.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { writeTree } from './tree-files.ts'
import type { Tree } from './trees.ts'

/** The program, as recordings name it. */
export const worker = upstreamVersion('nfd-worker')

/** Its node's name everywhere. */
export const nodeName = 'machine'

/** What is in the spec of a NodeFeature. */
export interface PublishedSpec {
  readonly features: {
    readonly flags: Readonly<Record<string, { readonly elements: Readonly<Record<string, object>> }>>
    readonly attributes: Readonly<Record<string, { readonly elements: Readonly<Record<string, string>> }>>
    readonly instances: unknown
  }
  readonly labels?: Readonly<Record<string, string>>
}

interface Published {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: PublishedSpec
}

/** The NodeFeature that it makes. @throws PartUnavailable where it cannot be built, or nobody may change the root */
export async function workerAnswer(tree: Tree): Promise<Published> {
  if (process.getuid?.() !== 0) throw new PartUnavailable('chroot needs root')
  const program = await upstreamPath('nfd-worker')
  const root = mkdtempSync(join(tmpdir(), 'ballast-tree-'))
  let published: unknown
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    if (request.method === 'POST')
      json(request).then(
        body => {
          published = body
          response.statusCode = 201
          response.end(JSON.stringify(body))
        },
        (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
      )
    else {
      response.statusCode = 404
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }))
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    // The cast: a server that listens on an address and a port has both.
    const { port } = server.address() as AddressInfo
    writeTree(root, tree)
    copyFileSync(program, join(root, 'nfd-worker'))
    writeFileSync(join(root, 'kubeconfig'), kubeconfig(port))
    const run = await runCommand(
      'chroot',
      [root, '/nfd-worker', '-oneshot', '-kubeconfig=/kubeconfig', `-config=/${workerConfigPath}`],
      { env: { NODE_NAME: nodeName, KUBERNETES_NAMESPACE: 'nfd' }, timeoutMs: 60_000 },
    )
    if (run.code !== 0 || published === undefined)
      throw new Error(`nfd-worker on ${tree.name} ended with ${run.code}: ${run.stderr.slice(-2_000)}`)
    // The cast: it is what the worker made of its own type.
    return published as Published
  } finally {
    server.close()
    rmSync(root, { recursive: true, force: true })
  }
}

function kubeconfig(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'here', cluster: { server: `http://127.0.0.1:${port}` } }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'nobody' } }],
    users: [{ name: 'nobody', user: {} }],
    'current-context': 'here',
  })
}
