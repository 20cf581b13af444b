// Kubelets of a cluster in a process of their own: `node bench/metrics-kubelets.ts NODES DIRECTORY` writes the authority of their certificates
// to DIRECTORY/kubelets.pem and prints their ports as JSON; ends with its standard input. Each line of that is answered by a line of JSON: when
// each kubelet was asked since the line before, in milliseconds since 1970.
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../src/kube/clock.ts'
import { issueAuthority, issueLeaf } from '../src/kube/server/certificates.ts'
import { listening } from '../src/kube/server/listening.ts'
import { kubeletBody } from './metrics-cluster.ts'

const [nodes = 0, directory = '.'] = [Number(process.argv[2]), process.argv[3]]
const housekeepingMs = 10_000
const nowMs = systemClock.now()
const authority = await issueAuthority({ commonName: 'kubelets', nowMs })
const leaf = await issueLeaf(authority, { commonName: 'kubelet', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
const ports: number[] = []
let asked: number[][] = Array.from({ length: nodes }, () => [])
for (let node = 0; node < nodes; node++) {
  const server = createServer({ cert: leaf.certificate, key: leaf.key, keepAliveTimeout: 300_000 }, (_request, response) => {
    asked[node]?.push(systemClock.now())
    const timeMs = Math.floor(systemClock.now() / housekeepingMs) * housekeepingMs
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(kubeletBody(node, Math.round((timeMs - nowMs) / 1_000) + 60, timeMs))
  })
  ports.push(await listening(server, { port: 0, host: '127.0.0.1' }))
}
writeFileSync(join(directory, 'kubelets.pem'), authority.certificate)
process.stdout.write(`${JSON.stringify(ports)}\n`)
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(asked)}\n`)
  asked = asked.map(() => [])
}
process.exit(0)
