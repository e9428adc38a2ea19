import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { bytesOf } from '../fixtures/colony.ts'
import { startProgram, startWindows } from '../fixtures/page-example.ts'
import type { Node } from '../../src/index.ts'
import type { PageProgram, Windows } from '../fixtures/page-example.ts'
import type { Page } from 'playwright-core'

const MIB = 1024 * 1024

describe('the page of the example', function () {
  this.timeout(120_000)

  let program: PageProgram
  let windows: Windows
  let nodes: Node[]

  let pages: Page[]

  before(async () => {
    windows = await startWindows()
  })

  after(async () => {
    await windows[Symbol.asyncDispose]()
  })

  // a colony of its own for each test
  beforeEach(async () => {
    nodes = []
    pages = []
    windows.errors.length = 0
    program = await startProgram()
  })

  afterEach(async () => {
    await Promise.all(pages.map(async page => page.context().close()))
    await Promise.all(nodes.map(async node => node.stop()))
    expect(await program.end('SIGTERM')).to.equal(0)
  })

  async function comeIn (name: string): Promise<Page> {
    const page = await windows.comeIn(program.url, name)
    pages.push(page)

    return page
  }

  /** A member that sends slowly, so that there is something to see. */
  async function slowMember (uploadLimit: number): Promise<Node> {
    const { network, bootstrap } = await (await fetch(`${program.url}/hub.json`)).json() as { network: string, bootstrap: string[] }
    const node = await createNode({ name: 'Slow', network, bootstrap, iceServers: [], contingency: false, listen: ['/ip4/127.0.0.1/tcp/0/ws'], uploadLimit })
    nodes.push(node)

    return node
  }

  it('asks for a name, and shows everybody who is here', async () => {
    const [ada, ben] = [await comeIn('Ada'), await comeIn('Ben')]

    for (const page of [ada, ben]) {
      await member(page, 'Ada').waitFor()
      await member(page, 'Ben').waitFor()
      await page.getByText('Connected', { exact: true }).waitFor()
    }

    expect(await ada.locator('#members-count').textContent()).to.equal('2')
    await ben.close()
    await ada.getByText('1 no longer here').click()
    await ada.locator('#gone-members').filter({ hasText: /Ben(has left|is gone)/ }).waitFor()
    await waitForText(ada, '#members-count', '1')
    expect(windows.errors).to.deep.equal([])
  })

  it('shares what is chosen, and finds, fetches and saves it elsewhere', async () => {
    const [ada, ben] = [await comeIn('Ada'), await comeIn('Ben')]
    const bytes = bytesOf(5 * MIB + 7)
    await choose(ada, 'Songs of ants.bin', bytes)
    await member(ben, 'Ada').waitFor()
    await find(ben, 'songs', '1 file found')
    expect(await ben.locator('#hits .note').textContent()).to.include('5.2 MB').and.include('from Ada')

    await ben.getByRole('button', { name: 'Download Songs of ants.bin' }).click()
    await ben.getByRole('link', { name: 'Save Songs of ants.bin' }).waitFor()
    const picture = ben.getByRole('img', { name: '6 of 6 pieces here' })
    expect(await picture.locator('[data-colour="0"]').count()).to.equal(6)
    expect(await ben.locator('.legend').textContent()).to.equal('Ada: 6 pieces')
    expect(await saved(ben, 'Songs of ants.bin')).to.deep.equal(bytes)

    // what was fetched is shared, until that is ended
    await find(ada, 'songs', '1 file found')
    expect(await ada.locator('#hits .note').textContent()).to.include('from you, Ben')
    await ben.getByRole('button', { name: 'Stop sharing Songs of ants.bin' }).click()
    await ben.getByText('is not shared any more').waitFor({ state: 'attached' })
    expect(windows.errors).to.deep.equal([])
  })

  it('shares what is dropped', async () => {
    const [ada, ben] = [await comeIn('Ada'), await comeIn('Ben')]
    await ada.evaluate(() => {
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File(['They never hurry.'], 'Notes.txt'))
      const event = (type: string): boolean => document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }))

      if (event('dragover') || event('drop')) {
        throw new Error('It would be opened in place of the page')
      }
    })
    await ada.getByRole('button', { name: 'Stop sharing Notes.txt' }).waitFor()
    await member(ben, 'Ada').waitFor()
    await find(ben, 'notes', '1 file found')
    expect(windows.errors).to.deep.equal([])
  })

  it('says in plain words what did not work', async () => {
    const page = await comeIn('Ada')
    await find(page, 'nothing of the kind', 'Nobody who is here has such a file.')
    expect(windows.errors).to.deep.equal([])
  })

  it('stops a download, and goes on where it was, after a reload too', async () => {
    const slow = await slowMember(MIB)
    const bytes = bytesOf(8 * MIB)
    await Array.fromAsync(slow.share({ name: 'slow.bin', content: bytes }))
    const page = await comeIn('Ada')
    await member(page, 'Slow').waitFor()
    await find(page, 'slow', '1 file found')
    await page.getByRole('button', { name: 'Download slow.bin' }).click()
    await page.getByRole('img', { name: /^[1-7] of 8 pieces here/ }).waitFor()
    await page.getByText(/from 1 source/).waitFor()
    await page.getByRole('button', { name: 'Stop slow.bin' }).click()
    await page.getByRole('button', { name: 'Continue slow.bin' }).waitFor()

    await page.reload()
    await page.getByRole('button', { name: 'Continue slow.bin' }).click()
    await page.locator('.legend').getByText(/here before: [1-7] piece/).waitFor()
    await page.getByRole('link', { name: 'Save slow.bin' }).waitFor()
    expect(await saved(page, 'slow.bin')).to.deep.equal(bytes)
    expect(windows.errors).to.deep.equal([])
  })

  it('shares again what was kept, after a reload', async () => {
    const page = await comeIn('Ada')
    await choose(page, 'for now.txt', bytesOf(100))
    await page.getByLabel(/Keep a copy/).check()
    await choose(page, 'for good.txt', bytesOf(200))
    await page.reload()
    await page.getByRole('button', { name: 'Stop sharing for good.txt' }).waitFor()
    expect(await page.locator('#shares .item').count()).to.equal(1)
    expect(windows.errors).to.deep.equal([])
  })

  it('makes each window of a browser a member of its own', async () => {
    const ada = await comeIn('Ada')
    const second = await windows.openIn(ada.context(), program.url)
    expect(await second.getByLabel('What shall others call you?').inputValue()).to.equal('Ada')
    await second.getByLabel('What shall others call you?').fill('Eve')
    await second.keyboard.press('Enter')
    await member(ada, 'Eve').waitFor()
    await member(second, 'Ada').waitFor()
    expect(windows.errors).to.deep.equal([])
  })

  it('plays a sound while it arrives', async () => {
    const slow = await slowMember(1.5 * MIB)
    await Array.fromAsync(slow.share({ name: 'hum.wav', content: wav(12 * MIB) }))
    const page = await comeIn('Ada')
    await member(page, 'Slow').waitFor()
    await page.waitForFunction(() => navigator.serviceWorker.controller != null)
    await find(page, 'hum', '1 file found')
    await page.getByRole('button', { name: 'Download hum.wav' }).click()
    await page.getByRole('button', { name: 'Play hum.wav' }).click()
    await page.waitForFunction(() => {
      const audio = document.querySelector('audio')

      return audio != null && audio.readyState >= 3 && audio.currentTime > 0
    })
    expect(await page.getByRole('button', { name: 'Stop hum.wav' }).isVisible()).to.equal(true)
    // six minutes of it, of which the end is asked for before what comes between
    await page.evaluate(() => { document.querySelector('audio')!.currentTime = 60 })
    await page.waitForFunction(() => document.querySelector('audio')!.currentTime > 60)
    await page.getByRole('link', { name: 'Save hum.wav' }).waitFor()
    expect(windows.errors).to.deep.equal([])
  })

  it('gives contents to players only, so that none becomes a page of this site', async () => {
    const page = await comeIn('Ada')
    await choose(page, 'trap.html', new TextEncoder().encode('<script>document.title = "trapped"</script>'))
    await page.waitForFunction(() => navigator.serviceWorker.controller != null)
    const status = await page.evaluate(async () => (await fetch('play/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy/trap.html')).status)

    expect(status).to.equal(404)
    expect(windows.errors.splice(0).join()).to.match(/404/)
  })

  it('can be used with the keyboard alone', async () => {
    const ada = await comeIn('Ada')
    await choose(ada, 'Keys.txt', bytesOf(1000))
    const ben = await windows.open(program.url)
    pages.push(ben)
    await ben.keyboard.type('Ben')
    await ben.keyboard.press('Enter')
    await member(ben, 'Ada').waitFor()
    await ben.keyboard.type('keys')
    await ben.keyboard.press('Enter')
    await waitForText(ben, '#found', '1 file found')

    expect(await tabTo(ben, 'Download Keys.txt')).to.deep.equal(['Search', 'Download Keys.txt'])
    await ben.keyboard.press('Enter')
    await ben.getByRole('link', { name: 'Save Keys.txt' }).waitFor()
    expect(await tabTo(ben, 'Save Keys.txt')).to.deep.equal(['Save Keys.txt'])
    const download = ben.waitForEvent('download')
    await ben.keyboard.press('Enter')
    expect((await download).suggestedFilename()).to.equal('Keys.txt')

    expect(await tabTo(ben, 'Stop sharing Keys.txt')).to.deep.equal(['Choose files', 'Keep a copy in this browser, to share it next time too', 'Stop sharing Keys.txt'])
    await ben.keyboard.press('Enter')
    await ben.waitForFunction(() => document.activeElement?.id === 'shares-heading')
    expect(windows.errors).to.deep.equal([])
  })

  it('goes on when the hub dies, and comes back to the one that is started anew', async () => {
    const [ada, ben] = [await comeIn('Ada'), await comeIn('Ben')]
    await member(ada, 'Ben').waitFor()
    await member(ben, 'Ada').waitFor()
    const bytes = bytesOf(3 * MIB)
    await choose(ada, 'Without a hub.bin', bytes)
    await find(ben, 'without', '1 file found')
    await program.end('SIGKILL')
    await ben.getByText('The hub is away. You and those who are here go on without it.').waitFor()

    await ben.getByRole('button', { name: 'Download Without a hub.bin' }).click()
    expect(await saved(ben, 'Without a hub.bin')).to.deep.equal(bytes)

    program = await startProgram(Number(new URL(program.url).port))
    await ben.getByText('Connected', { exact: true }).waitFor()
    await ada.getByText('Connected', { exact: true }).waitFor()
    const cleo = await comeIn('Cleo')
    await member(cleo, 'Ada').waitFor()
    await member(cleo, 'Ben').waitFor()
    // the browser tells of each try to reach the hub while it is away
    expect(windows.errors.splice(0).filter(error => !/ERR_CONNECTION_REFUSED|WebSocket connection/.test(error))).to.deep.equal([])
  })

  it('stops when it is told to', async () => {
    expect(await program.end('SIGINT')).to.equal(0)
    program = await startProgram()
  })
})

function member (page: Page, name: string): ReturnType<Page['locator']> {
  return page.locator('#members .member').filter({ hasText: name })
}

async function choose (page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.getByLabel('Choose files').setInputFiles({ name, mimeType: '', buffer: Buffer.from(bytes) })
  await page.getByRole('button', { name: `Stop sharing ${name}` }).waitFor()
}

async function find (page: Page, query: string, answer: string): Promise<void> {
  await page.getByLabel('Words of the name').fill(query)
  await page.getByRole('button', { name: 'Search' }).click()
  await waitForText(page, '#found', answer)
}

async function waitForText (page: Page, selector: string, text: string): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).waitFor({ state: 'attached' })
}

async function saved (page: Page, name: string): Promise<Uint8Array> {
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: `Save ${name}` }).click()

  return new Uint8Array(Buffer.concat(await Array.fromAsync(await (await download).createReadStream()) as Buffer[]))
}

/** Presses Tab until a control has the focus; returns the names of those on the way. */
async function tabTo (page: Page, name: string): Promise<string[]> {
  const passed: string[] = []
  const focused = async (): Promise<string> => page.evaluate(() => {
    const { ariaLabel, textContent, labels } = document.activeElement as HTMLInputElement

    return ariaLabel ?? labels?.[0]?.textContent ?? textContent ?? ''
  })

  if (await focused() === name) {
    return [name]
  }

  while (passed.at(-1) !== name && passed.length < 20) {
    await page.keyboard.press('Tab')
    passed.push(await focused())
  }

  return passed
}

/** A hum of 440 Hz: 16 bit, one channel, 16 kHz. */
function wav (size: number): Uint8Array {
  const rate = 16_000
  const bytes = Buffer.alloc(size)
  bytes.write('RIFF', 0)
  bytes.writeUInt32LE(size - 8, 4)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(rate, 24)
  bytes.writeUInt32LE(rate * 2, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36)
  bytes.writeUInt32LE(size - 44, 40)

  for (let i = 44; i + 1 < size; i += 2) {
    bytes.writeInt16LE(Math.round(2000 * Math.sin(i / 2 * 2 * Math.PI * 440 / rate)), i)
  }

  return new Uint8Array(bytes)
}
