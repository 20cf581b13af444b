import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { everything, type RegistryFilters } from '../filters.ts'
import { type Digest, parseDigest } from '../reference.ts'
import { type ImageTree, isWhole, type Manifest, walkImage } from './image-tree.ts'
import { type Changed, type KnownContent, Tracker } from './tracker.ts'

const digestOf = (number: number): Digest => {
  const digest = parseDigest(`sha256:${number.toString(16).padStart(64, '0')}`)
  if (digest === undefined) throw new Error('no digest')
  return digest
}

/** Digests 0..2 are manifests, 3 is an index of the first two, the rest configurations and layers. */
const manifests = new Map<Digest, Manifest>([
  [digestOf(0), { kind: 'manifest', children: [4, 5, 6].map(digestOf) }],
  [digestOf(1), { kind: 'manifest', children: [7, 5, 8].map(digestOf) }],
  [digestOf(2), { kind: 'manifest', children: [9, 6].map(digestOf) }],
  [digestOf(3), { kind: 'index', children: [0, 1].map(digestOf) }],
])
const names = [
  'registry.test:5000/a/b:v1',
  'registry.test:5000/a/b:v2',
  `registry.test:5000/a/b@${digestOf(0)}`,
  'ghcr.io/a/b:v1',
  'no name',
]

/** What a containerd would have. */
class Node {
  readonly images = new Map<string, Digest>()
  readonly contents = new Map<Digest, ReadonlyMap<string, string>>()

  async tree(root: Digest): Promise<ImageTree> {
    return await walkImage(root, async digest => (this.contents.has(digest) ? manifests.get(digest) : undefined))
  }

  content(digest: Digest): KnownContent | undefined {
    const labels = this.contents.get(digest)
    return labels === undefined ? undefined : { digest, size: 7, labels }
  }

  async fill(tracker: Tracker): Promise<Changed> {
    const images = await Promise.all([...this.images].map(async ([name, root]) => ({ name, tree: await this.tree(root) })))
    return tracker.replaceAll(
      images,
      [...this.contents.keys()].flatMap(digest => this.content(digest) ?? []),
    )
  }

  /** What reading again what an event names comes to. */
  async tell(tracker: Tracker, event: Touched): Promise<readonly Changed[]> {
    if ('digest' in event) {
      const content = this.content(event.digest)
      const changes = [content === undefined ? tracker.removeContent(event.digest) : tracker.putContent(content)]
      for (const name of tracker.waitingFor(event.digest)) changes.push(...(await this.tell(tracker, { name })))
      return changes
    }
    const root = this.images.get(event.name)
    if (root === undefined) return [tracker.removeImage(event.name)]
    const tree = await this.tree(root)
    const parts = tree.parts.map(part => {
      const content = this.content(part)
      return content === undefined ? tracker.removeContent(part) : tracker.putContent(content)
    })
    return [...parts, tracker.putImage({ name: event.name, tree })]
  }
}

type Touched = { readonly name: string } | { readonly digest: Digest }

const labels = (host: string): ReadonlyMap<string, string> => new Map([[`containerd.io/distribution.source.${host}`, 'x/y,a/b']])

type Step =
  | { readonly kind: 'image'; readonly name: string; readonly root: number | undefined }
  | { readonly kind: 'content'; readonly digest: number; readonly host: string | undefined; readonly isHere: boolean }
  | { readonly kind: 'list' }
  | { readonly kind: 'deliver'; readonly which: number }
  | { readonly kind: 'again'; readonly which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('image' as const),
    name: fc.constantFrom(...names),
    root: fc.constantFrom(0, 1, 2, 3, undefined),
  }),
  fc.record({
    kind: fc.constant('content' as const),
    digest: fc.nat({ max: 9 }),
    host: fc.constantFrom('registry.test', 'ghcr.io', undefined),
    isHere: fc.boolean(),
  }),
  fc.constant({ kind: 'list' as const }),
  fc.record({ kind: fc.constant('deliver' as const), which: fc.nat({ max: 50 }) }),
  fc.record({ kind: fc.constant('again' as const), which: fc.nat({ max: 50 }) }),
)

describe('what is announced', () => {
  test.each<[string, RegistryFilters]>([
    ['of everything', everything],
    ['of one registry', { registries: new Set(['registry.test:5000']), patterns: [] }],
  ])('%s equals the store in the end, whatever the order of events, repeats and lists', async (_name, filters) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const node = new Node()
        const tracker = new Tracker(filters)
        const seen = new Set<string>()
        const follow = (changes: readonly Changed[]) => {
          for (const { added, removed } of changes) {
            for (const key of removed) expect(seen.delete(key)).toBe(true)
            for (const key of added) expect(seen.size).toBeLessThan(seen.add(key).size)
          }
          expect(seen).toEqual(tracker.keys())
        }
        const waiting: Touched[] = []
        const told: Touched[] = []
        for (const one of steps) {
          if (one.kind === 'image') {
            if (one.root === undefined) node.images.delete(one.name)
            else node.images.set(one.name, digestOf(one.root))
            waiting.push({ name: one.name })
          } else if (one.kind === 'content') {
            const digest = digestOf(one.digest)
            if (one.isHere) node.contents.set(digest, one.host === undefined ? new Map() : labels(one.host))
            else node.contents.delete(digest)
            waiting.push({ digest })
          } else if (one.kind === 'list') {
            follow([await node.fill(tracker)])
          } else {
            const [event] =
              one.kind === 'deliver' ? waiting.splice(one.which % Math.max(1, waiting.length), 1) : told.slice(-1 - one.which)
            if (event === undefined) continue
            told.push(event)
            follow(await node.tell(tracker, event))
          }
        }
        for (const event of waiting.toReversed()) follow(await node.tell(tracker, event))
        const afresh = new Tracker(filters)
        await node.fill(afresh)
        expect(tracker.keys()).toEqual(afresh.keys())
        expect(tracker.images()).toEqual(expect.arrayContaining([...afresh.images()]))
      }),
      { numRuns: 300 },
    )
  })

  test('is a tag only where all of one platform is here', async () => {
    const node = new Node()
    const tracker = new Tracker(everything)
    node.images.set(names[0] ?? '', digestOf(3))
    for (const number of [3, 0, 1, 4, 5]) node.contents.set(digestOf(number), new Map())
    await node.fill(tracker)
    expect(tracker.keys().has(names[0] ?? '')).toBe(false)
    expect(tracker.withoutLayers()).toEqual([names[0]])
    node.contents.set(digestOf(6), new Map())
    expect((await node.tell(tracker, { digest: digestOf(6) }))[0]).toEqual({
      kind: 'changed',
      added: [digestOf(6), names[0]],
      removed: [],
    })
    expect(tracker.withoutLayers()).toEqual([])
  })

  test('case 28: a digest goes when the last image that holds it goes', async () => {
    const node = new Node()
    const tracker = new Tracker(everything)
    const [first = '', second = ''] = names
    for (const name of [first, second]) node.images.set(name, digestOf(2))
    for (const number of [2, 9, 6]) node.contents.set(digestOf(number), new Map())
    await node.fill(tracker)
    node.images.delete(first)
    expect(await node.tell(tracker, { name: first })).toEqual([{ kind: 'changed', added: [], removed: [first] }])
    node.images.delete(second)
    const [last] = await node.tell(tracker, { name: second })
    expect(new Set(last?.removed)).toEqual(new Set([second, ...[2, 9, 6].map(digestOf)]))
  })

  test('an index that names itself ten thousand times is judged at once', async () => {
    const children = Array.from({ length: 10_000 }, (_, index) => digestOf(index % 2))
    const tree = await walkImage(digestOf(0), async () => ({ kind: 'index', children }))
    expect(tree.parts).toHaveLength(2)
    expect(isWhole(tree, () => true)).toBe(false)
  })

  test('an image whose manifest names itself ends', async () => {
    const tree = await walkImage(digestOf(0), async () => ({ kind: 'index', children: [digestOf(0), digestOf(1)] }))
    expect(tree.parts).toEqual([digestOf(0), digestOf(1)])
    expect(isWhole(tree, () => true)).toBe(false)
  })
})

// biome-ignore format: a table
test.each([
  ['a layer of the image', 5, [0], true],
  ['a layer of one image and of another', 6, [0, 2], true],
  ['its configuration', 4, [0], false],
  ['a manifest of an index', 0, [3], false],
  ['what belongs to no image', 8, [0], false],
] as const)('%s is known as a layer or not', async (_what, number, roots, isLayer) => {
  const node = new Node()
  for (let part = 0; part < 10; part++) node.contents.set(digestOf(part), new Map())
  for (const root of roots) node.images.set(`registry.test:5000/a/b:v${root}`, digestOf(root))
  const tracker = new Tracker(everything)
  await node.fill(tracker)
  expect(tracker.isLayer(digestOf(number))).toBe(isLayer)
})
