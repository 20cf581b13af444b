// Style and script of the page. They are the same for every page, so that its policy can name them by their hashes.

export const pageStyle = `
:root{color-scheme:light dark;--back:#f4f5f7;--card:#fff;--line:#d9dde3;--text:#1c2530;--soft:#5a6675;--accent:#b3600a;--bar:#e0861a;--good:#1e7d46;--bad:#8a3b00;--badback:#fff3e0}
@media (prefers-color-scheme:dark){:root{--back:#12161c;--card:#1b212a;--line:#323b47;--text:#e8ecf1;--soft:#a3afbd;--accent:#f2a64a;--bar:#f2a64a;--good:#63c88e;--bad:#ffc27a;--badback:#33240f}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:34rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;box-shadow:0 1px 2px #0001,0 12px 32px #0000001f;overflow-wrap:anywhere}
h1{margin:0;font-size:1.5rem;line-height:1.25;display:flex;gap:.75rem;align-items:baseline}
.dot{flex:none;width:.75rem;height:.75rem;border-radius:50%;background:var(--bar)}
.left{margin:.25rem 0 1rem 1.5rem;color:var(--soft)}
progress{display:block;width:100%;height:.5rem;border:0;border-radius:.25rem;background:var(--line);overflow:hidden;accent-color:var(--bar)}
progress[value]{appearance:none}
progress::-webkit-progress-bar{background:var(--line)}
progress::-webkit-progress-value{background:var(--bar)}
progress::-moz-progress-bar{background:var(--bar)}
.sentence{margin:1rem 0}
.sentence::first-letter,.trouble::first-letter,.left::first-letter,#elapsed::first-letter{text-transform:uppercase}
.trouble{margin:1rem 0;padding:.75rem 1rem;border-left:.25rem solid var(--bar);border-radius:.25rem;background:var(--badback);color:var(--bad)}
[hidden]{display:none}
ol{list-style:none;margin:1rem 0;padding:0}
li{position:relative;display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;padding:.375rem 0 .375rem 1.75rem;color:var(--soft)}
li::before{content:"";position:absolute;left:.25rem;top:.8125rem;width:.625rem;height:.625rem;border:2px solid var(--line);border-radius:50%;background:var(--card);z-index:1}
li:not(:last-child)::after{content:"";position:absolute;left:.5rem;top:1.25rem;bottom:-.8125rem;width:2px;background:var(--line)}
li.done{color:var(--text)}
li.done::before{border-color:var(--good);background:var(--good)}
li.done:not(:last-child)::after{background:var(--good)}
li.now{color:var(--text);font-weight:600}
li.now::before{border-color:var(--bar)}
time{color:var(--soft);font-weight:400;font-variant-numeric:tabular-nums}
footer{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
footer p{margin:.25rem 0}
@media (max-width:30rem){body{place-items:start stretch;padding:.75rem}main{padding:1.25rem}}
@media (prefers-reduced-motion:no-preference){.dot{animation:wake 2s ease-in-out infinite}@keyframes wake{50%{opacity:.35}}}
@media (forced-colors:active){li.done::before,.dot{background:CanvasText}}
`

/**
 * It shows what it is sent, as text. When the target is ready it loads the page anew, once; a page that it loaded a moment ago waits, so that a
 * target that comes and goes is not asked without end. Where it hears nothing it asks again after a while, as browsers without scripts do.
 */
export const pageScript = `
(() => {
  const byId = id => document.getElementById(id)
  const set = (id, text) => { const one = byId(id); if (one.textContent !== text) one.textContent = text }
  let isLeaving = false
  // Where cookies are blocked there is no storage; then nothing is known of earlier loads.
  const stored = use => { try { return use(sessionStorage) } catch (refused) { return refused === undefined } }
  const last = Number(stored(storage => storage.getItem('ballast-reloaded'))) || 0
  const reload = leastMs => {
    if (isLeaving) return
    isLeaving = true
    source.close()
    const waitMs = Math.max(leastMs, last + 5000 - Date.now())
    setTimeout(() => {
      stored(storage => storage.setItem('ballast-reloaded', String(Date.now())))
      location.reload()
    }, Math.min(Math.max(waitMs, 0), 15000))
  }
  const show = view => {
    set('left', view.left)
    set('sentence', view.sentence)
    set('elapsed', view.elapsed)
    set('trouble', view.trouble || '')
    byId('trouble').hidden = view.trouble === null
    if (view.percent === null) byId('bar').removeAttribute('value')
    else byId('bar').value = view.percent
    byId('stages').replaceChildren(...view.stages.map(({ label, state, time }) => {
      const item = document.createElement('li')
      item.className = state
      if (state === 'now') item.setAttribute('aria-current', 'step')
      item.append(document.createElement('span'), document.createElement('time'))
      item.firstChild.textContent = label
      item.lastChild.textContent = time
      return item
    }))
  }
  const source = new EventSource(document.body.dataset.progress)
  source.addEventListener('progress', event => show(JSON.parse(event.data)))
  source.addEventListener('ready', () => reload(0))
  source.addEventListener('error', () => { if (source.readyState === EventSource.CLOSED) reload(10000) })
})()
`
