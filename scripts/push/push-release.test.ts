import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chartTag, folder, found, imageTag, push } from './pushed-in-test.ts'
import { smallRegistry } from './small-registry.ts'
import { smallRelease } from './small-release.ts'

test.each([false, true])(
  'image and chart come with what refers to them, and their tags come last; the registry lists: %s',
  async listsReferrers => {
    await using registry = await smallRegistry({ listsReferrers })
    const { image, chart } = await push(registry)
    const { config, layers, annotations } = JSON.parse(registry.manifests.get(chartTag)?.toString() ?? '')
    expect(JSON.parse(registry.blobs.get(config.digest)?.toString() ?? '')).toEqual({
      apiVersion: 'v2',
      name: 'ballast',
      version: '1.2.3',
      description: 'one',
    })
    expect(registry.blobs.get(layers[0].digest)).toEqual(readFileSync(join(folder, 'ballast-1.2.3.tgz')))
    expect(annotations).toMatchObject({
      'org.opencontainers.image.title': 'ballast',
      'org.opencontainers.image.version': '1.2.3',
    })
    expect(image.reference).toBe('registry.example/team/ballast:1.2.3')
    expect(registry.asked.slice(-2)).toEqual([
      'PUT /v2/team/ballast/manifests/1.2.3',
      'PUT /v2/team/charts/ballast/manifests/1.2.3',
    ])
    for (const [repository, { digest }] of [
      ['team/ballast', image],
      ['team/charts/ballast', chart],
    ] as const) {
      const kinds = [...registry.manifests].flatMap(([name, content]) => {
        const { artifactType, subject } = JSON.parse(content.toString())
        return name.startsWith(`${repository}@`) && subject?.digest === digest ? [artifactType] : []
      })
      expect(kinds.toSorted()).toEqual([
        'application/vnd.cyclonedx+json',
        'application/vnd.dev.sigstore.bundle.v0.3+json',
        'application/vnd.dev.sigstore.bundle.v0.3+json',
        'application/vnd.in-toto+json',
      ])
      const fallback = registry.manifests.get(`${repository}:${digest.replace(':', '-')}`)
      expect(JSON.parse(fallback?.toString() ?? '{"manifests":[]}').manifests).toHaveLength(listsReferrers ? 0 : 4)
      expect(registry.manifests.has(`${repository}:${digest.replace(':', '-')}.sig`)).toBe(true)
      expect(registry.manifests.has(`${repository}:${digest.replace(':', '-')}.att`)).toBe(true)
    }
  },
)

test('what is there already is not sent again, and nothing is signed twice', async () => {
  await using registry = await smallRegistry()
  await push(registry)
  const before = [found(registry), registry.asked.length] as const
  await push(registry)
  expect(found(registry)).toEqual(before[0])
  expect(registry.asked.slice(before[1]).filter(line => /^(POST|PATCH)/.test(line))).toEqual([])
})

test.each([
  ['lost', 'lost'],
  ['429', { status: 429, headers: { 'retry-after': '7' } }],
] as const)('each fifth request fails (%s): it is tried again', async (name, fault) => {
  const waited: number[] = []
  await using registry = await smallRegistry({ fault: number => (number % 5 === 3 ? fault : undefined) })
  await push(registry, { waited })
  expect(registry.manifests.has(chartTag)).toBe(true)
  expect(waited.length).toBeGreaterThan(5)
  if (name === '429') expect(new Set(waited)).toEqual(new Set([7_000]))
})

test('an upload that broke off goes on from where it was', async () => {
  const bodies: string[] = []
  let failed = false
  await using registry = await smallRegistry({
    fault(_, request) {
      if (!request.startsWith('PATCH') || failed) return undefined
      failed = true
      return 'half'
    },
    other(request) {
      if (request.method === 'PATCH') bodies.push(request.headers['content-range'] ?? 'whole')
      return undefined
    },
  })
  await push(registry)
  expect(bodies[0]).toBe('whole')
  expect(bodies[1]).toMatch(/^[1-9]\d*-\d+$/)
})

test('a registry that never answers is given up after five tries', async () => {
  const waited: number[] = []
  await using registry = await smallRegistry({ fault: () => ({ status: 503 }) })
  await expect(push(registry, { waited })).rejects.toThrow(/503.*; tried 5 times\. The same command goes on/)
  expect(waited).toEqual([1_000, 2_000, 4_000, 8_000])
})

test('a tag that names something else is not taken, and nothing is sent', async () => {
  const other = mkdtempSync(join(tmpdir(), 'ballast-push-'))
  try {
    await smallRelease(other, 'two')
    await using registry = await smallRegistry()
    await push(registry)
    const before = registry.asked.length
    await expect(push(registry, { from: other })).rejects.toThrow(
      /ballast:1\.2\.3 names sha256:.* and not sha256:.*--replace-tags/,
    )
    expect(registry.asked.slice(before).filter(line => !line.startsWith('GET'))).toEqual([])
    const old = registry.manifests.get(imageTag)
    await push(registry, { from: other, replacesTags: true })
    expect(registry.manifests.get(imageTag)).not.toEqual(old)
    writeFileSync(join(other, 'ballast-1.2.3.tgz'), 'changed')
    await expect(push(registry, { from: other })).rejects.toThrow('ballast-1.2.3.tgz is not what release.json says')
    rmSync(join(other, 'release.json'))
    await expect(push(registry, { from: other })).rejects.toThrow('has no release.json')
  } finally {
    rmSync(other, { recursive: true, force: true })
  }
})

test('the registry says who may push', async () => {
  const basic = { user: 'somebody', password: 'secret' }
  const authorization = `Basic ${Buffer.from('somebody:secret').toString('base64')}`
  await using simple = await smallRegistry({ wants: { authorization, challenge: () => 'Basic realm="here"' } })
  await expect(push(simple)).rejects.toThrow(/docker's configuration has none for it/)
  await push(simple, { credentials: basic })
  await expect(push(simple, { credentials: { ...basic, password: 'wrong' } })).rejects.toThrow(/401 UNAUTHORIZED/)

  const scopes: string[] = []
  await using tokens = await smallRegistry({
    wants: { authorization: 'Bearer t-1', challenge: origin => `Bearer realm="${origin}/token",service="here"` },
    other(request, body) {
      const url = new URL(request.url ?? '', 'http://localhost')
      if (url.pathname !== '/token') return undefined
      const words = request.method === 'POST' ? new URLSearchParams(body.toString()) : url.searchParams
      scopes.push(`${words.get('service')} ${words.get('scope')}`)
      const isOwn = request.headers.authorization === authorization || words.get('refresh_token') === 'identity'
      return { token: isOwn ? 't-1' : 'nobody' }
    },
  })
  await push(tokens, { credentials: basic })
  await push(tokens, { credentials: { identityToken: 'identity' } })
  await expect(push(tokens, { credentials: { identityToken: 'old' } })).rejects.toThrow(/may not push there/)
  expect(new Set(scopes)).toEqual(
    new Set(['here repository:team/ballast:pull,push', 'here repository:team/charts/ballast:pull,push']),
  )
})
