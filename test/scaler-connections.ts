// Connections to real servers, word for word: what was asked and what came, in turn, and a server that says the same again. For protocols in
// which the server speaks first, or in which bytes are no text.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { listening } from '#kube/server/listening.ts'

interface Step {
  /** As bytes, one a character. */
  readonly asked: string
  readonly answer: string
}

export interface RecordedConnections {
  readonly version: string
  readonly command: string
  /** What answers name as their own port, where they name one. */
  readonly port?: number
  /** In the order in which they were made. */
  readonly connections: readonly (readonly Step[])[]
}

interface Place extends AsyncDisposable {
  readonly address: string
}

/** Passes all on to the server at `port`, and keeps it; `withoutMachine` takes out what names where it ran, and keeps the length. */
export async function recordingConnections(
  port: number,
  withoutMachine: (answer: string) => string = answer => answer,
): Promise<Place & { readonly connections: () => RecordedConnections['connections'] }> {
  const all: { asked: string; answer: string }[][] = []
  const place = await listeningServer(client => {
    const steps: { asked: string; answer: string }[] = []
    all.push(steps)
    const upstream = connect(port, '127.0.0.1')
    let step: { asked: string; answer: string } | undefined
    const current = (isAsking: boolean) => {
      if (step === undefined || (isAsking && step.answer !== '')) {
        step = { asked: '', answer: '' }
        steps.push(step)
      }
      return step
    }
    client.on('data', (data: Buffer) => {
      current(true).asked += data.toString('latin1')
      upstream.write(data)
    })
    upstream.on('data', (data: Buffer) => {
      const said = withoutMachine(data.toString('latin1'))
      current(false).answer += said
      client.write(said, 'latin1')
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.end())
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
  })
  return { ...place, connections: () => all }
}

/** The nth connection hears what the nth heard; one that asks for something else is ended. */
export async function replayedConnections({
  connections,
  port: recorded,
}: Pick<RecordedConnections, 'connections' | 'port'>): Promise<Place> {
  let count = 0
  const written = (port: number) => `127.0.0.1${Buffer.from([0, 0, port >> 8, port & 255]).toString('latin1')}`
  const place = await listeningServer(socket => {
    const steps = [...(connections[count++] ?? [])]
    let asked = ''
    const goOn = () => {
      for (let [step] = steps; step !== undefined && asked.startsWith(step.asked); [step] = steps) {
        asked = asked.slice(step.asked.length)
        steps.shift()
        const own = Number(place.address.replace(/.*:/, ''))
        socket.write(recorded === undefined ? step.answer : step.answer.replaceAll(written(recorded), written(own)), 'latin1')
      }
      if (asked !== '' && !(steps[0]?.asked ?? '').startsWith(asked)) socket.destroy()
    }
    socket.on('error', () => socket.destroy())
    socket.on('data', (data: Buffer) => {
      asked += data.toString('latin1')
      goOn()
    })
    goOn()
  })
  return place
}

async function listeningServer(use: (socket: Socket) => void): Promise<Place> {
  const open = new Set<Socket>()
  const server: Server = createServer(socket => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    use(socket)
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      for (const socket of open) socket.destroy()
      await closed.promise
    },
  }
}
