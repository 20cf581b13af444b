import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { namedPeer } from '../../testdata/named-peer.ts'
import type { PeerPlace } from '../peers/peer-client.ts'
import { Holders } from './holders.ts'

const app = { registry: 'ghcr.io', repository: 'acme/app' }
const place = (port: number): PeerPlace => ({ way: 'http', host: '10.0.0.1', port, authorization: undefined })
const holder = (id: string, port = 1) => ({ peer: namedPeer(id), place: place(port) })

function site() {
  const clock = new VirtualClock(0)
  const holders = new Holders(clock)
  return { clock, holders, ids: (named = app) => holders.of(named).map(({ peer }) => peer.id) }
}

describe('who gave something of a repository', () => {
  test('is known, the latest first, each once', () => {
    const { holders, ids } = site()
    for (const id of ['A', 'B', 'A']) holders.gave(app, holder(id))
    expect(ids()).toEqual(['A', 'B'])
  })

  test('is not known for another repository, or another registry', () => {
    const { holders, ids } = site()
    holders.gave(app, holder('A'))
    expect([ids({ ...app, repository: 'acme/other' }), ids({ ...app, registry: 'docker.io' })]).toEqual([[], []])
  })

  test('is known by where it gave it the last time', () => {
    const { holders } = site()
    holders.gave(app, holder('A', 1))
    holders.gave(app, holder('A', 2))
    expect(holders.of(app).map(({ place: { port } }) => port)).toEqual([2])
  })

  test('is forgotten after a minute, or when it lacked something', async () => {
    const { clock, holders, ids } = site()
    holders.gave(app, holder('A'))
    await clock.advance(30_000)
    holders.gave(app, holder('B'))
    holders.gave(app, holder('C'))
    holders.lacks(app, 'C')
    await clock.advance(29_999)
    expect(ids()).toEqual(['B', 'A'])
    await clock.advance(1)
    expect(ids()).toEqual(['B'])
  })

  test('eight are remembered', () => {
    const { holders, ids } = site()
    for (let number = 1; number <= 9; number++) holders.gave(app, holder(`P${number}`))
    expect(ids()).toEqual(['P9', 'P8', 'P7', 'P6', 'P5', 'P4', 'P3', 'P2'])
  })

  test('of 1,024 repositories', () => {
    const { holders, ids } = site()
    for (let number = 0; number <= 1_024; number++) holders.gave({ ...app, repository: `r${number}` }, holder('A'))
    expect([ids({ ...app, repository: 'r0' }), ids({ ...app, repository: 'r1' })]).toEqual([[], ['A']])
  })
})
