// Which folders of a share belong to whom, how long archives are kept, and what is done about a folder that a person names.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KnownPlaces } from '../driver/volume-place.ts'
import type { SurveyEntry } from '../files/file-work.ts'
import type { VolumeClass } from '../jobs/storage-kinds.ts'
import { knownVolumes } from '../watched-facts.ts'
import { beyondMost, limitsOf } from './archive-limits.ts'
import { archiveKey, isMadeName, type LooseFolder, mostNamed, notLookedAt, type ShareInventory, ShareTally } from './inventory.ts'
import { type InventoryReport, readReport, reportText } from './report.ts'
import { decideSweep, looseFolders, sweepName } from './sweep.ts'
import { oneLine } from './told.ts'

const hour = 3_600_000
const nowMs = 1_000 * hour
const uid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-${digit.repeat(12)}`
const driver = 'nfs.csi.k8s.io'
const share = { server: 'nas', share: 'k' }

const pv = (handle: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: handle },
  spec: { csi: { driver, volumeHandle: handle }, capacity: { storage: '1Gi' } },
})
const volumes = [...knownVolumes([pv(`nas#k#pvc-${uid('a')}##`), pv('nas#k#team/data#x#')], driver)]

const entry = (name: string, of: Partial<SurveyEntry> = {}): SurveyEntry => ({
  name,
  key: Buffer.from(name).toString('base64'),
  kind: name.startsWith('archived-') ? 'archived' : 'folder',
  changedMs: nowMs - 2 * hour,
  ...of,
})
const archive = { name: 'v.tar.gz', source: 'v', bytes: 7, mtimeMs: 0 }
const snapshot = (name: string) => entry(name, { kind: 'snapshot', archive })

function tallied(entries: readonly SurveyEntry[], archives: ReadonlySet<string> | undefined = new Set()): ShareInventory {
  const tally = new ShareTally(share)
  const places = new KnownPlaces(volumes, [{ ...share, options: [] }])
  const prefixes = { volume: 'pvc', snapshot: 'snapshot' }
  for (const one of entries) tally.entry(one, { places, archives, prefixes, nowMs })
  return tally.result()
}

describe('a folder of a share', () => {
  // biome-ignore format: a table
  test.each<[string, SurveyEntry, keyof ShareInventory | 'none']>([
    ['of a volume',                           entry(`pvc-${uid('a')}`),                                 'none'],
    ['above a volume',                        entry('team'),                                            'none'],
    ['made for a volume that is not there',   entry(`pvc-${uid('b')}`),                                 'orphans'],
    ['that was changed a moment ago',         entry(`pvc-${uid('b')}`, { changedMs: nowMs - 1 }),       'none'],
    ['made for a volume, with a clock ahead', entry(`pvc-${uid('b')}`, { changedMs: nowMs + hour }),    'none'],
    ['with a volume\'s name and an archive',  entry(`pvc-${uid('b')}`, { kind: 'snapshot', archive }),  'orphans'],
    ['of somebody',                           entry('backups'),                                         'others'],
    ['with nearly the name of a volume',      entry(`pvc-${uid('b')}x`),                                'others'],
    ['with a name in capitals',               entry(`pvc-${uid('b').toUpperCase()}`),                   'others'],
    ['with the name of another prefix',       entry(`xpvc-${uid('b')}`),                                'others'],
    ['that was archived',                     entry(`archived-pvc-${uid('9')}`, { changedMs: nowMs }), 'archived'],
    ['that was archived again',               entry(`archived-pvc-${uid('9')}-2`),                      'archived'],
    ['of a snapshot that was archived',       entry(`archived-snapshot-${uid('9')}`),                   'archived'],
    ['that somebody calls so',                entry('archived-photos'),                                 'others'],
    ['that somebody calls nearly so',         entry(`archived-pvc-${uid('9')}-copy`),                   'others'],
    ['whose removal was begun',               entry('.ballast-removed-x', { kind: 'removed' }),         'none'],
    ['of a snapshot',                         snapshot(`snapshot-${uid('c')}`),                         'none'],
    ['of a snapshot that nobody names',       snapshot(`snapshot-${uid('d')}`),                         'snapshots'],
    ['of a snapshot that is being made',      snapshot(`snapshot-${uid('e')}`),                         'none'],
    ['with an archive, called otherwise',     snapshot('monday'),                                       'others'],
  ])('%s', (_name, one, expected) => {
    const archives = new Set([archiveKey('nas', 'k', `snapshot-${uid('c')}`), `snapshot-${uid('e')}`])
    const result = tallied([one], archives)
    const found = (['orphans', 'snapshots', 'archived', 'others'] as const).filter(key => result[key]?.count === 1)
    expect(found).toEqual(expected === 'none' ? [] : [expected])
  })

  test('is judged by no snapshots where the cluster has no kinds of them', () => {
    const tally = new ShareTally(share)
    const places = new KnownPlaces(volumes, [])
    const prefixes = { volume: 'pvc', snapshot: 'snapshot' }
    tally.entry(snapshot(`snapshot-${uid('d')}`), { places, archives: undefined, prefixes, nowMs })
    expect(tally.result()).toMatchObject({ snapshots: undefined, others: { count: 0 } })
  })

  test('is counted beyond those that are named', () => {
    const count = mostNamed + 7
    const { orphans } = tallied(
      Array.from({ length: count }, (_, at) => entry(`pvc-${at.toString(16).padStart(8, '0')}${uid('a').slice(8)}`)),
    )
    expect([orphans.count, orphans.first.length]).toEqual([count - 0, mostNamed])
  })

  test('with a made name is one of the provisioner’s', () => {
    fc.assert(fc.property(fc.uuid(), id => isMadeName(`pvc-${id}`, 'pvc') && !isMadeName(id, 'pvc')))
    fc.assert(fc.property(fc.string(), text => !isMadeName(`pvc-${text}`, 'pvc') || /^[-0-9a-f]{36}$/.test(text)))
    expect(isMadeName(`.*-${uid('a')}`, '.*')).toBe(true)
    expect(isMadeName(`pvc-${uid('a')}`, '.*')).toBe(false)
  })
})

describe('how long archives are kept', () => {
  const of = (
    name: string,
    annotations: Readonly<Record<string, string>>,
    parameters = { server: 'nas', share: '/k' },
  ): VolumeClass => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, annotations },
    provisioner: driver,
    parameters,
  })
  const keep = 'ballast.dev/nfs-keep-archives'
  const most = 'ballast.dev/nfs-most-archived'
  const never = { keepMs: undefined, mostBytes: undefined }
  const day = 24 * hour
  // biome-ignore format: a table
  test.each<[string, readonly VolumeClass[], typeof never | object, object]>([
    ['for ever, where nobody says anything',    [],                                                            never,                                  never],
    ['for ever, with a class',                  [of('a', {})],                                                 never,                                  never],
    ['as the configuration says',               [of('a', {})],                                                 { keepMs: day, mostBytes: 5n },         { keepMs: day, mostBytes: 5n }],
    ['as the class says',                       [of('a', { [keep]: '48h', [most]: '1Gi' })],                   { keepMs: day, mostBytes: 5n },         { keepMs: 2 * day, mostBytes: 1_073_741_824n }],
    ['as the class says, without a configuration', [of('a', { [keep]: '48h' })],                               never,                                  { keepMs: 2 * day, mostBytes: undefined }],
    ['as long as the longest of two',           [of('a', { [keep]: '48h' }), of('b', { [keep]: '24h' })],      never,                                  { keepMs: 2 * day, mostBytes: undefined }],
    ['for ever, where one of two says nothing', [of('a', { [keep]: '48h', [most]: '1' }), of('b', {})],        never,                                  never],
    ['not as a class of another share says',    [of('a', { [keep]: '48h' }, { server: 'nas', share: '/other' })], never,                               never],
    ['not as a class of another driver says',   [{ ...of('a', { [keep]: '48h' }), provisioner: 'x' }],         never,                                  never],
  ])('%s', (_name, all, configured, expected) => {
    expect(limitsOf(share, all, driver, { ...never, ...configured })).toEqual({ limits: expected, problems: [] })
  })

  test.each(['soon', '59m', '-1h', '', '1h; rm'])('for ever where a class says %j, and that is told', text => {
    const { limits, problems } = limitsOf(share, [of('a', { [keep]: text })], driver, { keepMs: day, mostBytes: 5n })
    expect(limits).toEqual(never)
    expect(problems).toEqual([expect.stringContaining(`StorageClass a: ${keep} is ${JSON.stringify(text)}: `)])
  })

  test('the oldest go until the others fit, and none of the last hour', () => {
    const archives = fc.array(fc.record({ age: fc.integer({ min: 0, max: 10 }), bytes: fc.bigInt({ min: 0n, max: 100n }) }), {
      maxLength: 12,
    })
    fc.assert(
      fc.property(archives, fc.bigInt({ min: 0n, max: 500n }), (all, limit) => {
        const made = all.map(({ age, bytes }, at) => ({ name: `a${at}`, bytes, changedMs: nowMs - age * hour - 1 }))
        const going = new Set(beyondMost(made, limit, nowMs))
        const left = made.filter(({ name }) => !going.has(name))
        const sum = left.reduce((bytes, one) => bytes + one.bytes, 0n)
        const isOld = (one: { readonly changedMs: number }) => one.changedMs < nowMs - hour
        expect(made.filter(({ name }) => going.has(name)).every(isOld)).toBe(true)
        // Where it does not fit nothing old is left; and without the youngest that went it would not fit.
        expect(sum <= limit || !left.some(isOld)).toBe(true)
        const last = made.filter(({ name }) => going.has(name)).toSorted((one, other) => other.changedMs - one.changedMs)
        const youngest = last.at(0)
        if (youngest !== undefined)
          expect(
            sum + last.filter(one => one.changedMs === youngest.changedMs).reduce((bytes, one) => bytes + one.bytes, 0n) > limit,
          ).toBe(true)
      }),
    )
  })
})

const report = (shares: readonly ShareInventory[], atMs = nowMs): InventoryReport => ({ driver, atMs, shares })
const mapOf = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'x' },
  data: { 'inventory.json': text },
})

describe('a report', () => {
  test('is read as it was written', () => {
    const shares = [
      tallied([entry(`pvc-${uid('b')}`), entry(`archived-pvc-${uid('9')}`), entry('backups'), snapshot(`snapshot-${uid('d')}`)]),
      notLookedAt({ server: 'two', share: '' }, 'it does not answer'),
    ]
    expect(readReport(mapOf(reportText(report(shares))))).toEqual(report(shares))
  })

  test('fits into an object however many folders there are, and counts them all', () => {
    const name = 'x'.repeat(200)
    const many: LooseFolder[] = Array.from({ length: mostNamed }, (_, at) => ({ id: `nas#k#${name}${at}##`, changedMs: at }))
    const cut = { count: 100_000, first: many }
    const shares = Array.from({ length: 20 }, (_, at) => ({
      ...notLookedAt({ server: `s${at}`, share: '' }, ''),
      orphans: cut,
      archived: cut,
    }))
    const text = reportText(report(shares))
    expect(Buffer.byteLength(text)).toBeLessThan(900_001)
    const read = readReport(mapOf(text))
    expect(read?.shares.map(({ orphans }) => orphans.count)).toEqual(Array.from({ length: 20 }, () => 100_000))
  })

  test('is none where somebody wrote something else', () => {
    for (const text of ['', '{', '[]', 'null', '{"driver":1}', JSON.stringify({ ...report([]), shares: [{}] })])
      expect(readReport(mapOf(text))).toBeUndefined()
    expect(readReport({ ...mapOf(''), data: 5 })).toBeUndefined()
    fc.assert(fc.property(fc.json(), text => readReport(mapOf(text)) === undefined))
  })
})

describe('a folder that a person names', () => {
  const orphan = `nas#k#pvc-${uid('b')}##`
  const archived = `nas#k#archived-pvc-${uid('9')}##`
  const reports = [
    report([
      tallied([entry(`pvc-${uid('b')}`), entry(`archived-pvc-${uid('9')}`), entry('backups'), snapshot(`snapshot-${uid('d')}`)]),
    ]),
  ]
  const shares = [{ ...share, options: ['nfsvers=4.1'] }]
  const facts = { reports, volumes, shares }
  const decide = (id: string, fate: 'archive' | 'delete' = 'archive', of: object = {}, at = nowMs) =>
    decideSweep(id, fate, { ...facts, ...of }, { nowMs: at, uid: 'u' })

  test('becomes a volume that is released, whose identifier says what becomes of it', () => {
    const decision = decide(orphan)
    if (decision.kind !== 'swept') throw new Error(decision.why)
    expect(decision.volume).toMatchObject({
      metadata: { name: sweepName(orphan), annotations: { 'pv.kubernetes.io/provisioned-by': driver } },
      spec: {
        persistentVolumeReclaimPolicy: 'Delete',
        mountOptions: ['nfsvers=4.1'],
        csi: { driver, volumeHandle: `nas#k#pvc-${uid('b')}##archive` },
        claimRef: { uid: 'u' },
      },
    })
    const gone = decide(archived, 'delete')
    expect(gone.kind === 'swept' && gone.volume.spec.csi?.volumeHandle).toBe(`nas#k#archived-pvc-${uid('9')}##delete`)
    expect(decide(`nas#k#snapshot-${uid('d')}##`, 'delete').kind).toBe('swept')
  })

  // biome-ignore format: a table
  test.each<[string, () => ReturnType<typeof decideSweep>, string]>([
    ['what is no identifier',            () => decide('x'),                                  'it is no identifier'],
    ['what leads out of the share',      () => decide('nas#k#../etc##'),                     'it is no identifier'],
    ['the share',                        () => decide('nas#k###'),                           'has not told of it'],
    ['what nobody has seen',             () => decide(`nas#k#pvc-${uid('f')}##`),            'has not told of it'],
    ['what may be anybody\'s',           () => decide('nas#k#backups##'),                    'has not told of it'],
    ['a volume of the cluster',          () => decide(`nas#k#pvc-${uid('a')}##`),            'has not told of it'],
    ['the same with another end',        () => decide(`${orphan.slice(0, -1)}#delete`),      'has not told of it'],
    ['what has become a volume since',   () => decide(orphan, 'delete', { volumes: [...knownVolumes([pv(orphan)], driver)] }), 'it is the volume'],
    ['what volumes lie in since',        () => decide(orphan, 'delete', { volumes: [...knownVolumes([pv(`nas#k#pvc-${uid('b')}/x#x#`)], driver)] }), 'volumes of this cluster lie in it'],
    ['what lies in a volume',            () => decide(orphan, 'delete', { volumes: [...knownVolumes([pv('nas#k###')], driver)], shares: [] }), 'lies in a volume'],
    ['what is archived already',         () => decide(archived),                             'it is archived already'],
    ['what was seen long ago',           () => decide(orphan, 'archive', {}, nowMs + 8 * 24 * hour), 'more than 7 days ago'],
  ])('is refused: %s', (_name, decided, why) => {
    expect(decided()).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) })
  })

  test('is one of those that are listed', () => {
    expect(looseFolders(reports).map(({ id, kind }) => [id, kind])).toEqual([
      [orphan, 'folder'],
      [`nas#k#snapshot-${uid('d')}##`, 'snapshot'],
      [archived, 'archived'],
    ])
  })
})

test('a name from a share is told on one line', () => {
  expect(oneLine('a\nb\u001b[2Jc\u202edd\u0000')).toBe('a�b�[2Jc�dd�')
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary-ascii', maxLength: 40 }),
      text => !['\n', '\r', '\u001b'].some(one => oneLine(text).includes(one)) && oneLine(text).length <= 201,
    ),
  )
})
