import { writeFileSync } from 'node:fs'
import { bundle, writeBundle } from './scripts/image/bundle.ts'
import { GatewaySite } from './test/real/gateway/site.ts'
import { needHaproxy } from './test/real/gateway/haproxy.ts'
import { makeRoutes, startPeer, startReverseProxy } from './bench/gateway-peers.ts'
await needHaproxy()
const stack = new AsyncDisposableStack()
const app = '/root/t/px/app'
writeBundle(await bundle(import.meta.dirname), app)
const backend = await startPeer(stack, 'backend', '-listen=0.0.0.0:0')
const port = Number(await backend.line())
const site = await GatewaySite.start()
await makeRoutes(site, port, 200)
const go = await startReverseProxy(stack, port, 200)
const flags = (process.env.FLAGS ?? '').split(' ').filter(Boolean)
const ours = await site.ours([process.execPath, app + '/ballast.mjs'], { dataPlane: 'haproxy' })
writeFileSync('/root/t/px/site.out', `direct ${port} ${backend.pid}\ngo ${go.port} ${go.pid}\nours ${ours.port} ${ours.pid}\n`)
console.log('up')
process.on('SIGTERM', async () => { await ours.stop(); await site[Symbol.asyncDispose](); await stack.disposeAsync(); process.exit(0) })
setInterval(() => {}, 1000)
