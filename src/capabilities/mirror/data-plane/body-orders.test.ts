// Bodies that nginx carries: each ends once, whoever they were given instead of is remembered, and nothing grows without end.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { namedPeer } from '../testdata/named-peer.ts'
import { BodyOrders, lost } from './body-orders.ts'

const order = (id?: string) => ({ worker: 1, length: 10, peer: id === undefined ? undefined : namedPeer(id) })
const whole = { sent: 10, status: 200, seconds: 0.1, isComplete: true }
const site = () => new BodyOrders(new VirtualClock(0))
const openOf = (orders: BodyOrders) => [...orders.open].map(({ number }) => number)

describe('an order', () => {
  test('ends as it is told, once', async () => {
    const orders = site()
    const { number, ended } = orders.give(order())
    expect([orders.isIdle, openOf(orders)]).toEqual([false, [number]])
    orders.end(number, whole)
    orders.end(number, lost)
    expect(await ended).toEqual(whole)
    expect([orders.isIdle, openOf(orders)]).toEqual([true, []])
  })

  test('that nobody gave ends nothing', () => {
    const orders = site()
    const { number } = orders.give(order())
    orders.end(number + 1, whole)
    expect(openOf(orders)).toEqual([number])
  })

  test('has a number of its own and says when it began', async () => {
    const clock = new VirtualClock(0)
    const orders = new BodyOrders(clock)
    const first = orders.give(order())
    await clock.advance(5)
    const second = orders.give(order())
    expect([second.number - first.number, second.startedMs - first.startedMs]).toEqual([1, 5])
  })
})

describe('instead of one that failed', () => {
  test('all before it are known by their peers, and it failed', async () => {
    const orders = site()
    const first = orders.give(order('A'))
    const second = orders.give(order('B'), first.number)
    const third = orders.give(order('C'), second.number)
    expect(orders.failed(first.number)).toEqual(['A'])
    expect(orders.failed(third.number)).toEqual(['A', 'B', 'C'])
    const failed = { sent: 0, status: 0, seconds: 0, isComplete: false }
    expect(await Promise.all([first.ended, second.ended])).toEqual([failed, failed])
    expect(openOf(orders)).toEqual([third.number])
  })

  test('one that has been told to be over is known all the same', () => {
    const orders = site()
    const first = orders.give(order('A'))
    orders.end(first.number, lost)
    expect(orders.failed(orders.give(order('B'), first.number).number)).toEqual(['A', 'B'])
  })

  test('a file of this node names nobody', () => {
    const orders = site()
    const first = orders.give(order('A'))
    expect(orders.failed(orders.give(order(), first.number).number)).toEqual(['A'])
  })

  test('an order that nobody knows has no peers', () => {
    expect(site().failed(77)).toEqual([])
  })
})

describe('bounds', () => {
  test('of 4,096 the oldest is lost', async () => {
    const orders = site()
    const given = Array.from({ length: 4_096 }, () => orders.give(order('A')))
    expect(openOf(orders)).toHaveLength(4_096)
    const last = orders.give(order('B'))
    expect(await given[0]?.ended).toEqual(lost)
    expect(openOf(orders)).toHaveLength(4_096)
    expect(openOf(orders).at(-1)).toBe(last.number)
  })

  test('peers of 4,096 orders are remembered, over or not', () => {
    const orders = site()
    const first = orders.give(order('A'))
    orders.end(first.number, whole)
    for (let count = 1; count < 4_096; count++) orders.end(orders.give(order('B')).number, whole)
    expect(orders.failed(first.number)).toEqual(['A'])
    orders.give(order('C'))
    expect(orders.failed(first.number)).toEqual([])
  })
})

test('all end when nginx is gone', async () => {
  const orders = site()
  const given = [orders.give(order('A')), orders.give(order())]
  orders.endAll()
  expect(await Promise.all(given.map(({ ended }) => ended))).toEqual([lost, lost])
  expect(orders.isIdle).toBe(true)
})
