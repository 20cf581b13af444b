// An agent with nothing but the node part of NFS goes on as a smaller program in the same process: it answers probes, its driver and the kubelet's question; it says on its
// node what it noticed, and asks the API server for nothing before.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { CsiClient } from '../csi-wire.ts'
import { commandLine } from './bundled.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

test.runIf(process.platform === 'linux')('what it is, what it is told, and how it ends', { timeout: 120_000 }, async () => {
  const directory = await temporaryDirectory()
  for (const folder of ['plugins/csi-nfsplugin', 'plugins_registry']) mkdirSync(join(directory, folder), { recursive: true })
  const asked: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    void text(request).then(body => {
      asked.push(`${request.method} ${request.url} ${body}`)
      response.setHeader('content-type', 'application/json').end('{"metadata":{"name":"a"}}')
    })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const files = {
    'config.yaml': {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'BallastConfiguration',
      capabilities: { nfs: { enabled: true, kubeletDir: directory } },
    },
    kubeconfig: {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      contexts: [{ name: 'one', context: { cluster: 'one', user: 'one' } }],
      clusters: [{ name: 'one', cluster: { server: `http://127.0.0.1:${address.port}` } }],
      users: [{ name: 'one', user: { token: 'what nobody may see' } }],
    },
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), JSON.stringify(content))
  const health = await freePort()
  const child = spawn(
    process.execPath,
    [
      ...[commandLine, 'agent', '--role=nfs', `--config=${join(directory, 'config.yaml')}`],
      ...[`--kubeconfig=${join(directory, 'kubeconfig')}`, '--node-name=n1', `--health-probe-bind-address=127.0.0.1:${health}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = text(child.stderr)
  using client = new CsiClient(join(directory, 'plugins', 'csi-nfsplugin', 'csi.sock'))
  await vi.waitUntil(async () => (await client.ask('Probe', {}, 1_000)).code === 'OK', { timeout: 100_000, interval: 50 })
  const words = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0')
  expect(words.join(' ')).toContain('nfs-node-process')
  expect(words).toContain('--role=nfs')
  expect((await client.ask('NodeGetInfo', {})).response).toEqual({ nodeId: 'n1' })
  expect((await fetch(`http://127.0.0.1:${health}/livez`)).status).toBe(200)
  // No kubelet has registered it.
  expect((await fetch(`http://127.0.0.1:${health}/readyz`)).status).toBe(500)
  expect(asked).toEqual([])
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  expect([code, await said]).toEqual([0, expect.not.stringMatching(/Warning|Error|what nobody may see/)])
})
