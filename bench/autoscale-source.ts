// The source of the bench: one server that answers queries of PromQL and a JSON page with 0, and keeps when each object asked.
import { createServer } from 'node:http'
import { systemClock } from '#kube/clock.ts'
import { listening } from '#kube/server/listening.ts'

/** Milliseconds at which each object asked, by its name. */
const asked = new Map<string, number[]>()

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://source')
  const name = url.searchParams.get('query') ?? url.pathname.slice(1)
  const times = asked.get(name) ?? []
  asked.set(name, times)
  times.push(systemClock.elapsed())
  const isQuery = url.pathname === '/api/v1/query'
  const vector = { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [0, '0'] }] } }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(isQuery ? vector : { waiting: 0 }))
})

process.stdout.write(`${await listening(server, { port: 0, host: '127.0.0.1' })}\n`)

// A line asks for what was heard since the last one.
process.stdin.on('data', () => {
  const gaps = [...asked.values()].flatMap(times => times.slice(1).map((at, index) => at - (times[index] ?? at)))
  process.stdout.write(`${JSON.stringify({ objects: asked.size, gaps })}\n`)
  asked.clear()
})
process.stdin.on('end', () => process.exit(0))
