// Ports on loopback that nothing listens on.
import { type AddressInfo, createServer } from 'node:net'

/** Some kernels give the port again that was closed last, and whoever has it may not listen yet. */
const given = new Set<number>()

/** `count` different ports that were free a moment ago; none is given twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  const ports: number[] = []
  for (const server of servers) {
    if (!server.listening) await new Promise(resolve => server.once('listening', resolve))
    ports.push((server.address() as AddressInfo).port)
  }
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  const fresh = ports.filter(port => !given.has(port))
  for (const port of fresh) given.add(port)
  return fresh.length === count ? fresh : [...fresh, ...(await freePorts(count - fresh.length))]
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  if (port === undefined) throw new Error('no free port on loopback')
  return port
}
