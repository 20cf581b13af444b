// `npm run dev:web`: Vite's own server with hot reload in front of a dashboard that runs (`npm start`), whose API and HTML it passes on.
import { dirname, join } from 'node:path'
import { createServer, type Plugin } from 'vite'

const root = dirname(dirname(import.meta.dirname))
const port = 5173

/** Serves until the process is ended. `target`: where the dashboard listens. */
export async function servePage(target = 'http://127.0.0.1:8080'): Promise<boolean> {
  const server = await createServer({
    configFile: false,
    root: join(root, 'src/dashboard/web'),
    appType: 'custom',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    server: { port, fs: { allow: [root] }, proxy: { '/api': passedOn(target) } },
    plugins: [pagesOf(target)],
  })
  await server.listen()
  console.log(`http://localhost:${port}/ shows the page as it is written, of the dashboard at ${target}`)
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
  await promise
  await server.close()
  return true
}

/** As if the dashboard's own page had asked. */
function passedOn(target: string) {
  return { target, changeOrigin: true, headers: { Origin: target, 'Sec-Fetch-Site': 'same-origin' } }
}

/** The server's HTML with the sources in place of the bundle, and without its policy, which forbids what hot reload does. */
function pagesOf(target: string): Plugin {
  return {
    name: 'pages-of-the-dashboard',
    configureServer(server) {
      return () => {
        server.middlewares.use((request, response, next) => {
          fetch(new URL(request.url ?? '/', target), { headers: { Accept: 'text/html' } })
            .then(async answer => {
              const html = (await answer.text())
                .replace(/<link rel="(stylesheet|modulepreload)"[^>]*>|<script type="module"[^>]*><\/script>/g, '')
                .replace(
                  '</head>',
                  '<script type="module" src="/@vite/client"></script><script type="module" src="/main.tsx"></script></head>',
                )
              response.writeHead(answer.status, { 'Content-Type': 'text/html; charset=utf-8' }).end(html)
            })
            .catch(next)
        })
      }
    },
  }
}
