// Writes down what a real containerd answers while an image is pulled, named twice and removed, as it goes over the wire:
//   node test/real/mirror/store/record.ts
// into src/capabilities/mirror/store/testdata, which `npm test` replays without a containerd.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { systemClock } from '#kube/clock.ts'
import * as api from '../../../../src/capabilities/mirror/store/containerd-api.ts'
import { eventFilters, imageFilter } from '../../../../src/capabilities/mirror/store/events.ts'
import type { RecordedCall, RecordedMoment, Recording } from '../../../../src/capabilities/mirror/store/testdata/recording.ts'
import { type ContainerdLine, containerdLines, startNodeContainerd } from '../containerd.ts'
import { startSmallRegistry } from './small-registry.ts'

const registryName = 'registry.test:5000'
const repository = 'acme/app'
const quietMs = 700
const testdata = join(import.meta.dirname, '../../../../src/capabilities/mirror/store/testdata')

async function record(line: ContainerdLine): Promise<Recording> {
  await using registry = await startSmallRegistry()
  const hosts = mkdtempSync(join(tmpdir(), 'ballast-hosts-'))
  mkdirSync(join(hosts, registryName))
  writeFileSync(join(hosts, registryName, 'hosts.toml'), `[host.'http://${registry.host}']\n`)
  const image = registry.push(repository, 'v1', { layerBytes: [1_000, 2_000], inIndex: true })
  registry.tag(repository, 'v2', image.digest)
  const [first = '', second = ''] = image.layers
  await using containerd = await startNodeContainerd({ line, configPath: '/etc/containerd/certs.d' })
  const client = new Client(`unix://${containerd.socket}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
  })
  const metadata = new Metadata()
  metadata.set('containerd-namespace', 'k8s.io')
  const ask = (method: { readonly path: string }, request: Buffer): Promise<RecordedCall> => {
    const { promise, resolve } = Promise.withResolvers<RecordedCall>()
    const answers: string[] = []
    const call = client.makeServerStreamRequest(method.path, same, same, request, metadata)
    call.on('data', (answer: Buffer) => answers.push(answer.toString('base64')))
    const told = (code: number, details: string) =>
      resolve({ path: method.path, request: request.toString('base64'), answers, code, details })
    call.on('error', error => told('code' in error && typeof error.code === 'number' ? error.code : 2, error.message))
    call.on('end', () => told(0, ''))
    return promise
  }
  const events: string[] = []
  const subscription = client.makeServerStreamRequest(
    api.subscribe.path,
    same,
    same,
    api.subscribe.request.encode({ filters: eventFilters }),
    metadata,
  )
  subscription.on('data', (event: Buffer) => events.push(event.toString('base64')))
  subscription.on('error', () => undefined) // cancelled at the end
  const names = [`${registryName}/${repository}:v1`, `${registryName}/${repository}:v2`, `${registryName}/${repository}:v3`]
  const digests = [image.digest, image.manifest, image.config, ...image.layers, ...image.others, `sha256:${'0'.repeat(64)}`]
  const moments: RecordedMoment[] = []
  const last = new Map<string, string>()
  const moment = async (name: string): Promise<void> => {
    for (let seen = -1; seen !== events.length; ) {
      seen = events.length
      await systemClock.after(quietMs)
    }
    const calls = [
      await ask(api.version, api.version.request.encode({})),
      await ask(api.listPlugins, api.listPlugins.request.encode({ filters: ['type==io.containerd.content.v1'] })),
      await ask(api.criStatus, api.criStatus.request.encode({ verbose: true })),
      await ask(api.listImages, api.listImages.request.encode({ filters: [imageFilter] })),
      await ask(api.listContent, api.listContent.request.encode({})),
    ]
    for (const image of names) calls.push(await ask(api.getImage, api.getImage.request.encode({ name: image })))
    for (const digest of digests) {
      calls.push(await ask(api.contentInfo, api.contentInfo.request.encode({ digest })))
      const size = moments.length === 0 || digest.endsWith('0000') ? 0 : registry.bytesOf(digest).length
      const whole = { digest, offset: 0, size }
      const head = { digest, offset: 0, size: Math.min(256, size) }
      if (size > 0) calls.push(await ask(api.readContent, api.readContent.request.encode(whole)))
      if (size > 256) calls.push(await ask(api.readContent, api.readContent.request.encode(head)))
      calls.push(await ask(api.listStatuses, api.listStatuses.request.encode({ filters: [`ref~="-${digest}$"`] })))
    }
    const changed = calls.filter(call => {
      const key = `${call.path} ${call.request}`
      const text = JSON.stringify(call)
      const isNew = last.get(key) !== text
      last.set(key, text)
      return isNew
    })
    moments.push({ name, events: events.splice(0), calls: changed })
  }
  const pull = async (tag: string) => {
    const done = await containerd.pull(`${registryName}/${repository}:${tag}`, { hostsDirectory: hosts })
    if (done.code !== 0) throw new Error(`pull of ${tag}: ${done.stderr}`)
  }
  const ctr = async (...args: readonly string[]) => {
    const done = await containerd.ctr(...args)
    if (done.code !== 0) throw new Error(`ctr ${args.join(' ')}: ${done.stderr}`)
  }
  await moment('empty')
  const held = registry.hold(second, 500)
  const pulling = pull('v1')
  await Promise.race([held.reached, pulling])
  await moment('a layer comes in')
  held.letGo()
  await pulling
  await moment('pulled')
  await pull('v2')
  await moment('named twice')
  await ctr('images', 'rm', '--sync', names[0] ?? '')
  await moment('one name removed')
  await ctr('images', 'rm', '--sync', names[1] ?? '')
  const rest = (await containerd.ctr('images', 'ls', '-q')).stdout.trim().split('\n')
  for (const name of rest.filter(text => text !== '')) await ctr('images', 'rm', '--sync', name)
  await moment('collected')
  subscription.cancel()
  client.close()
  rmSync(hosts, { recursive: true, force: true })
  return {
    containerd: containerd.version,
    command: 'node test/real/mirror/store/record.ts',
    image: { name: `${registryName}/${repository}`, ...image, layers: [first, second] },
    contentRoot: containerd.contentPath,
    moments,
  }
}

/** A call a line, so that a new recording can be compared with the old one. */
function textOf({ moments, ...head }: Recording): string {
  const momentText = ({ name, events, calls }: RecordedMoment) =>
    `{"name":${JSON.stringify(name)},"events":${JSON.stringify(events)},"calls":[\n${calls.map(call => JSON.stringify(call)).join(',\n')}]}`
  return `${JSON.stringify(head).slice(0, -1)},"moments":[\n${moments.map(momentText).join(',\n')}\n]}\n`
}

const same = (bytes: Buffer): Buffer => bytes

if (import.meta.main) {
  const lines = process.argv.slice(2)
  for (const line of Object.keys(containerdLines) as ContainerdLine[]) {
    if (lines.length > 0 && !lines.includes(line)) continue
    const recording = await record(line)
    mkdirSync(testdata, { recursive: true })
    const file = join(testdata, `containerd-${recording.containerd}.json`)
    writeFileSync(file, textOf(recording))
    console.log(`${file}: ${recording.moments.map(({ name, events }) => `${name} (${events.length} events)`).join(', ')}`)
  }
}
