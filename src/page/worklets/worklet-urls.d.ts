// How the page's build gives the address of a script that it bundles on its own.
declare module '*worklet.ts?worker&url' {
  const url: string;
  export default url;
}
