// A thousand connections of one peer stopped everybody for two minutes: who waits in the kernel's queue tries again after 1, 3, 7, ... seconds.
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { pictureOf } from '../views/testdata/homelab.ts'
import { startTestDashboard } from './dashboard-for-tests.ts'

// biome-ignore format: a table
test.each([
  ['say nothing',             ''],
  ['never end their headers', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: '],
  ['are no HTTP',             '\u0000\u0001\u0002\r\n\r\n'.repeat(100)],
  ['ask all at once',         'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(500)],
])('1,200 connections of one peer that %s keep nobody out', async (_case, text) => {
  await using dashboard = await startTestDashboard({ picture: pictureOf([]) })
  const sockets: Socket[] = []
  try {
    for (let count = 0; count < 1_200; count++) {
      const socket = connect({ port: dashboard.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
      // What becomes of a stranger's connection is no matter.
      socket.on('error', () => socket.destroy())
      socket.resume()
      if (text !== '') socket.write(text)
      sockets.push(socket)
    }
    for (let request = 0; request < 5; request++) {
      const { status } = await dashboard.ask('/healthz', {})
      expect(status).toBe(200)
    }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})
