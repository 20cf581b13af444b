import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { listenPlain } from './listener.ts'

async function site(may: (remote: string | undefined) => boolean) {
  const listener = await listenPlain({
    address: { host: '127.0.0.1', port: 0 },
    askers: { may },
    clock: systemClock,
    handle: (_request, response) => response.end('here'),
  })
  onTestFinished(() => listener[Symbol.asyncDispose]())
  const open = () => {
    const socket = connect(listener.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    return socket
  }
  return { listener, open }
}

test('connections of those who may not ask do not pile up', async () => {
  const { open } = await site(() => false)
  let closed = 0
  const sockets: Socket[] = Array.from({ length: 200 }, open)
  for (const socket of sockets) {
    socket.on('close', () => closed++)
    socket.on('error', () => undefined)
    socket.resume()
  }
  await expect.poll(() => closed).toBe(200 - 64)
})

test('those who may ask keep theirs, however many they are', async () => {
  const { open, listener } = await site(() => true)
  const sockets: Socket[] = Array.from({ length: 200 }, open)
  await Promise.all(sockets.map(socket => new Promise(resolve => socket.once('connect', resolve))))
  expect(await (await fetch(`http://127.0.0.1:${listener.port}/`)).text()).toBe('here')
  expect(sockets.filter(socket => socket.destroyed)).toEqual([])
  for (const socket of sockets) socket.destroy()
})

test('a connection that was never used does not hold up the end', async () => {
  const { open, listener } = await site(() => true)
  const socket = open()
  await new Promise(resolve => socket.once('connect', resolve))
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.resume()
  await listener[Symbol.asyncDispose]()
  await closed
})
