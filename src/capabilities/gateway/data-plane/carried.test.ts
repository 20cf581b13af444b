// What HAProxy says of the requests that it carries. The answers are those of HAProxy 3.0.11.
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { RequestCounts } from '../counts/request-counts.ts'
import { complaintOf, linesOf } from './admin-socket.ts'
import { type CarriedCount, CarriedTally, carriedCounts } from './carried-counts.ts'
import { CarriedLines } from './carried-lines.ts'
import { connectionsWithin, versionTrouble } from './haproxy-program.ts'

const table = `# table: routes, type: string, size:100000, used:2
0x7fa306559318: key=default/route-2 use=1 exp=59357 shard=0 conn_cur=1 http_req_cnt=1 bytes_in_cnt=92 bytes_out_cnt=795
0x7fa306559018: key=default/route-1 use=0 exp=59347 shard=0 conn_cur=0 http_req_cnt=3 bytes_in_cnt=237 bytes_out_cnt=3393

`

describe('counts', () => {
  it('are read out of a table', () =>
    expect(carriedCounts(table)).toEqual([
      { key: 'default/route-2', concurrency: 1, total: 1, bytes: 887 },
      { key: 'default/route-1', concurrency: 0, total: 3, bytes: 3630 },
    ]))
  it.each(['', '\n\n', 'Unknown command', '0x1: use=1', '0x1: key=a'])('of %j are none, or nothing', answer =>
    expect(carriedCounts(answer).every(({ concurrency, total, bytes }) => concurrency + total + bytes === 0)).toBe(true),
  )

  async function site() {
    const clock = new VirtualClock(0)
    const counts = new RequestCounts(clock)
    counts.keep(new Set(['n/a', 'n/b']))
    const turns: string[] = []
    counts.watch((key, isActive) => void turns.push(`${key} ${isActive}`))
    const tally = new CarriedTally(counts.carrier())
    const look = async (...all: readonly (Partial<CarriedCount> & { readonly key: string })[]) => {
      tally.take(
        all.map(one => ({ concurrency: 0, total: 0, bytes: 0, ...one })),
        clock.elapsed(),
      )
      await clock.advance(250)
    }
    return { clock, counts, turns, look }
  }

  it('stand beside those of the gateway itself', async () => {
    const { counts, look } = await site()
    const own = counts.arrive('n/a')
    await look({ key: 'n/a', concurrency: 2, total: 2 })
    expect(counts.of('n/a')).toMatchObject({ concurrency: 3, total: 3 })
    own.leave()
    await look({ key: 'n/a', concurrency: 2, total: 7 })
    expect(counts.of('n/a')).toMatchObject({ concurrency: 2, total: 8 })
    expect(counts.all).toBe(2)
  })
  it('of two that carry are added, as while one takes the place of the other', async () => {
    const { clock, counts, look } = await site()
    const successor = new CarriedTally(counts.carrier())
    await look({ key: 'n/a', concurrency: 2, total: 2 })
    successor.take([{ key: 'n/a', concurrency: 1, total: 1, bytes: 0 }], clock.elapsed())
    expect(counts.of('n/a')).toMatchObject({ concurrency: 3, total: 3 })
    await look()
    expect(counts.of('n/a')).toMatchObject({ concurrency: 1, total: 3 })
    counts.keep(new Set())
    expect([counts.all, [...counts.keys()]]).toEqual([0, []])
  })
  it('of a request that was over before anybody looked are one for a second', async () => {
    const { counts, turns, look } = await site()
    await look({ key: 'n/a', total: 1 })
    for (let turn = 0; turn < 3; turn++) await look({ key: 'n/a', total: 1 })
    expect(counts.of('n/a')).toMatchObject({ concurrency: 1, total: 1 })
    await look({ key: 'n/a', total: 1 })
    expect(counts.of('n/a')).toMatchObject({ concurrency: 0, total: 1 })
    expect(turns).toEqual(['n/a true', 'n/a false'])
  })
  it('that went back began anew', async () => {
    const { counts, look } = await site()
    await look({ key: 'n/a', total: 10 })
    await look({ key: 'n/a', total: 3 })
    expect(counts.of('n/a').total).toBe(13)
  })
  it('of bytes say that a stream lives', async () => {
    const { counts, clock, look } = await site()
    await look({ key: 'n/a', concurrency: 1, total: 1, bytes: 10 })
    for (let turn = 0; turn < 8; turn++) await look({ key: 'n/a', concurrency: 1, total: 1, bytes: 10 })
    expect(counts.of('n/a').quietMs).toBe(clock.elapsed())
    await look({ key: 'n/a', concurrency: 1, total: 1, bytes: 11 })
    expect(counts.of('n/a').quietMs).toBe(250)
  })
  it('of what is not told any more, or has no route, are none', async () => {
    const { counts, look } = await site()
    await look({ key: 'n/a', concurrency: 5, total: 5 }, { key: 'n/gone', concurrency: 4, total: 4 })
    expect(counts.all).toBe(5)
    await look()
    expect(counts.of('n/a')).toMatchObject({ concurrency: 0, total: 5 })
    await look({ key: 'n/b', concurrency: 2, total: 2 })
    counts.keep(new Set(['n/a']))
    expect(counts.all).toBe(0)
  })
})

describe('lines', () => {
  const sent =
    'media/sonarr\tGET\t200\t1523\tpod\t--\t170\nmedia/sonarr\tPOST\t-1\t90\tpod\nmedia/sonarr\tGET\t400\t7\tpod\tCH\t0\nmedia/sonarr\tGET\t200\t8\tpod\tCD\t10\nn/a\tGET\t200\t5\tagain0\nnonsense\nmedia/x\tGET\t504\t-3\t<NOSRV>\n'
  it.each([1, 2, 3, 7, 1_000])('are read in pieces of %d bytes', size => {
    const lines = new CarriedLines()
    const found = Array.from({ length: Math.ceil(sent.length / size) }, (_, at) =>
      lines.read(Buffer.from(sent.slice(at * size, (at + 1) * size))),
    ).flat()
    expect(found).toEqual([
      { key: 'media/sonarr', method: 'GET', status: 200, seconds: 0.001523 },
      { key: 'media/sonarr', method: 'POST', status: 499, seconds: 0.00009 },
      { key: 'media/sonarr', method: 'GET', status: 499, seconds: 0.000007 },
      { key: 'media/sonarr', method: 'GET', status: 200, seconds: 0.000008 },
      { key: 'media/x', method: 'GET', status: 504, seconds: 0 },
    ])
  })
})

describe('commands', () => {
  it.each([
    ['\n\n', undefined],
    ['\n', undefined],
    ['entry not found.\n\n', 'entry not found.'],
    ['\nKey not found.\n\nUnknown map\n', 'Key not found.; Unknown map'],
  ])('answered with %j: %s', (answer, complaint) => expect(complaintOf(answer)).toBe(complaint))
  it('are put together into lines that a buffer holds', () => {
    const commands = Array.from({ length: 1_000 }, (_, at) => `add map /x/targets.map n/route:${at} 10.0.0.1|80`)
    const lines = linesOf(commands)
    expect(lines.flatMap(line => line.split(';'))).toEqual(commands)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(16 * 1024)
    expect(lines.length).toBeLessThan(5)
  })
})

describe('the program', () => {
  it.each([
    ['HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/\n', undefined],
    ['HAProxy version 3.2.0 2026/05/20\n', undefined],
    ['HAProxy version 10.1\n', undefined],
    ['HAProxy version 2.6.12-1+deb12u3 2025/10/03\n', /older than 3\.0/],
    ['HAProxy version 2.10.1\n', /older than 3\.0/],
    ['haproxy?', /no version/],
  ])('%j', (told, trouble) => {
    if (trouble === undefined) expect(versionTrouble(told)).toBeUndefined()
    else expect(versionTrouble(told)).toMatch(trouble)
  })
  it.each([
    [1_024, 16, 412],
    [20_000, 16, 9_900],
    [1_048_576, 16, 50_000],
    [1_048_576, 1, 10_240],
    [1_048_576, 0.5, 3_686],
    [1_048_576, 0.1, 819],
    [100, 16, 1],
  ])('may have, of %d descriptors and %d GiB, %d connections', (descriptors, gibibytes, connections) =>
    expect(connectionsWithin(descriptors, gibibytes * 2 ** 30)).toBe(connections),
  )
})
