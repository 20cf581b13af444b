import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { digestOf, type LayerEntry, packLayer } from './layer.ts'
import { OciLayout } from './oci-layout.ts'
import { tarEntries } from './tar-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'ballast-layout-'))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const configuration = {
  architecture: 'arm64',
  entrypoint: ['/bin/node', '/app/ballast.mjs'],
  environment: ['A=b'],
  user: '65532:65532',
  ports: ['8081/tcp'],
  labels: { 'org.opencontainers.image.title': 'ballast' },
  created: '2026-01-01T00:00:00Z',
}

async function sample() {
  const layout = new OciLayout()
  const layer = await packLayer(new Map<string, LayerEntry>([['a', { type: 'file', content: Buffer.from('a') }]]), 0)
  const image = layout.addImage(configuration, [['first', layer]])
  const index = layout.addIndex([image], '1.0.0', {})
  return { layout, layer, image, index }
}

test('every blob is found under its digest, and every digest that is named has its blob', async () => {
  const { layout, index } = await sample()
  layout.attach(index, 'application/vnd.cyclonedx+json', Buffer.from('{"a":1}'), configuration.created)
  layout.write(directory)
  const blobs = readdirSync(join(directory, 'blobs', 'sha256'))
  for (const name of blobs) expect(digestOf(readFileSync(join(directory, 'blobs', 'sha256', name)))).toBe(`sha256:${name}`)
  const documents = [join(directory, 'index.json'), ...blobs.map(name => join(directory, 'blobs', 'sha256', name))]
  const named = documents.flatMap(path => {
    const text = readFileSync(path, 'latin1')
    return text.startsWith('{') ? [...text.matchAll(/"digest":"sha256:([0-9a-f]{64})"/g)].map(match => match[1]) : []
  })
  expect([...new Set(named)].toSorted()).toEqual(blobs.toSorted())
  expect(JSON.parse(readFileSync(join(directory, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' })
})

test('what is attached names the image as its subject', async () => {
  const { layout, index } = await sample()
  const attached = layout.attach(index, 'application/vnd.cyclonedx+json', Buffer.from('{}'), configuration.created)
  layout.write(directory)
  const manifest = JSON.parse(readFileSync(join(directory, 'blobs', 'sha256', attached.digest.slice(7)), 'utf8'))
  expect(manifest).toMatchObject({
    artifactType: 'application/vnd.cyclonedx+json',
    subject: { digest: index.digest, size: index.size },
  })
})

test('the configuration says who runs what', async () => {
  const { layout, layer, image } = await sample()
  layout.write(directory)
  const config = JSON.parse(readFileSync(join(directory, 'blobs', 'sha256', image.configuration.digest.slice(7)), 'utf8'))
  expect(config).toMatchObject({
    architecture: 'arm64',
    os: 'linux',
    config: {
      User: '65532:65532',
      Entrypoint: ['/bin/node', '/app/ballast.mjs'],
      Env: ['A=b'],
      ExposedPorts: { '8081/tcp': {} },
    },
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
  })
})

test('the file for docker names its image, and has its parts', async () => {
  const { layout, image } = await sample()
  const names = new Map<string, string>()
  for await (const { header, content } of tarEntries(await layout.dockerArchive(image, 'example.org/ballast:1.0.0', 0)))
    names.set(header.name, content.toString('utf8'))
  const [manifest] = JSON.parse(names.get('manifest.json') ?? '[]')
  expect(manifest.RepoTags).toEqual(['example.org/ballast:1.0.0'])
  for (const path of [manifest.Config, ...manifest.Layers]) expect([...names.keys()]).toContain(path)
})
