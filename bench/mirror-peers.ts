// Nodes that only route, many in one process: whom an agent that is measured announces to. `ip netns exec <node> node bench/mirror-peers.ts
// --count 50 --host 10.99.0.2 --port 29994`: the first of them is found at `http://<host>:<port>/id`. Says `ready`.
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { httpBootstrap } from '../src/capabilities/mirror/peers/bootstrap/bootstrap-http.ts'
import { startRouter } from '../src/capabilities/mirror/peers/router.ts'

const { values } = parseArgs({
  options: { count: { type: 'string', default: '50' }, host: { type: 'string' }, port: { type: 'string', default: '29994' } },
})
const { host = '127.0.0.1', port } = values
// Without a path it answers as the line up to 0.7 does, which upstream's of that line wants.
const url = `http://${host}:${port}`
for (let index = 0; index < Number(values.count); index++) {
  const address = index === 0 ? `:${port}` : ''
  const router = await startRouter({
    address: `${host}:${30_100 + index}`,
    bootstrap: httpBootstrap({ url, address, certificateDirectory: '' }),
    dataDirectory: '',
    version: '0.0.0',
    zone: '',
    readyWhenAlone: true,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  while (index > 0 && router.state().peers === 0) await systemClock.after(20)
}
console.log('ready')
