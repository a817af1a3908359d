declare module "*.css" {
  const text: string;
  export default text;
}

declare module "*/live.js" {
  const text: string;
  export default text;
}

declare module "*.svg" {
  const text: string;
  export default text;
}
