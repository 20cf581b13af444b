// TLS hands over what it has deciphered although it was told to stop, and then it stops.
import { expect, test } from 'vitest'
import { Slabs } from '../../slabs.ts'
import { PeerBody } from './peer-body.ts'

test('bytes that come after the connection was told to stop do not leave it stopped once there is room', async () => {
  let isReading = false
  const wire = {
    resume: () => {
      isReading = true
    },
    done: () => undefined,
    leave: () => undefined,
  }
  const body = new PeerBody(wire, Buffer.from('a'), 300_000)
  // Nobody has given it memory yet: the connection stops.
  expect(body.copied(Buffer.alloc(16_384))).toBe(false)
  body.use(new Slabs(2))
  // This is the rest of the same record.
  const goesOn = body.copied(Buffer.alloc(16_384))
  expect(goesOn && isReading).toBe(true)
  const piece = await body.next()
  expect(piece?.bytes.toString()).toBe('a')
  piece?.[Symbol.dispose]()
  body.destroy()
})
