import { expect, test } from 'vitest'
import { TurnOrder } from './turn-order.ts'

test('each has a turn of its own, in the order of asking; who has much to do lets the others in between', async () => {
  const order = new TurnOrder()
  const done: string[] = []
  let turn = 0
  let isOver = false
  const count = () => {
    turn++
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const work = async (name: string, slices: number) => {
    for (let slice = 0; slice < slices; slice++) {
      await order.next()
      done.push(`${name} ${turn}`)
    }
  }
  await Promise.all([work('long', 4), work('b', 1), work('c', 1)])
  isOver = true
  expect(done.map(text => text.split(' ')[0])).toEqual(['long', 'b', 'c', 'long', 'long', 'long'])
  expect(new Set(done.map(text => text.split(' ')[1])).size).toBe(6)
  // Nobody waited for a while: it goes on.
  await order.next()
})
