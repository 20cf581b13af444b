// One connection of a trigger, and readers that wait for their turn.
import { expect, test } from 'vitest'
import { OutsideError } from '#kube/outside-error.ts'
import { KeptConnection } from './kept-connection.ts'
import { scalerWorld } from './testdata/scaler-world.ts'

const { signal } = new AbortController()

/** Its only question is one that nobody answers before it is closed. */
class Silent implements Disposable {
  readonly #ended = Promise.withResolvers<never>()
  isOpen = true

  async answer(): Promise<number> {
    return await this.#ended.promise
  }

  [Symbol.dispose](): void {
    this.isOpen = false
    this.#ended.reject(new OutsideError('the connection was closed'))
  }
}

test('readers that wait while it is closed open nothing', async () => {
  await using world = scalerWorld()
  const asked = Promise.withResolvers<void>()
  let opened = 0
  const open = async () => {
    opened++
    return new Silent()
  }
  const kept = new KeptConnection({ ...world, who: 'a database', open })
  const readers = [1, 2, 3].map(() =>
    kept.ask(connection => {
      asked.resolve()
      return connection.answer()
    }, signal),
  )
  const all = Promise.allSettled(readers)
  await asked.promise
  kept[Symbol.dispose]()
  expect(await all).toMatchObject([
    { reason: { message: 'the connection was closed' } },
    { reason: { message: 'a database: closed' } },
    { reason: { message: 'a database: closed' } },
  ])
  await expect(kept.ask(connection => connection.answer(), signal)).rejects.toThrow('a database: closed')
  expect(opened).toBe(1)
})
