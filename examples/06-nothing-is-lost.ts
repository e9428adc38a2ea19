/**
 * Nothing is lost when a member goes. What ada has is kept by another member,
 * her contingent, which hands it over when it leaves, is replaced when it is
 * killed, and answers for ada while she is gone.
 *
 * Each member is a process of its own. Two contingents are the default; here
 * it is one, to show each step plainly.
 */

import { Member } from './nothing-is-lost/process.ts'

const ada = await Member.start('ada')
const ben = await Member.start('ben', ada)
console.log('ada shares Notes on ants.txt, and puts a secret into her vault')
console.log('  her contingent, who keeps both:', await ada.ask('fill'))
const key = await ada.ask('export')

const cleo = await Member.start('cleo', ada)
console.log('1. ben leaves')
const [named, handedOver, left] = [ada.next('protected'), ben.next('handed-over'), ben.leave()]
console.log('  ada hears of it, and names the next, who fetches everything, verifies it, and signs:', await named)
console.log('  ben hears of that, and deletes what he kept; it is now with', await handedOver)
await left
console.log('  ben is gone')

const dora = await Member.start('dora', ada)
console.log('2. cleo is killed')
const [missed, replaced] = [ada.next('at-risk'), ada.next('protected')]
await cleo.kill()
console.log('  ada notices, and misses', await missed)
console.log('  ada names the next, who fetches everything, verifies it, and signs:', await replaced)

const eli = await Member.start('eli', dora)
console.log('3. ada is killed')
const serving = dora.next('serving')
await ada.kill()
console.log('  dora notices, and answers for', await serving)
console.log('  eli searches for ants, and finds', await eli.ask('search'))
console.log('  it is at', await eli.ask('holder'))
console.log('  eli downloads it; it says:', await eli.ask('download'))
console.log('  dora names another contingent, who has everything of', await eli.ask('ward'))

const back = await Member.start('ada', dora, key)
console.log('4. ada is back, with an empty disk and her key')
console.log('  she recovers', await back.ask('recover'))

const fay = await Member.start('fay', dora)
console.log('5. fay is new, and connected with nobody but', await fay.ask('retreat'))
console.log('  fay searches the colony for ants, and finds', await fay.ask('search'))

await Promise.all([back, dora, eli, fay].map(async member => member.kill()))
