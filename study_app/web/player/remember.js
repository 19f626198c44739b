// Lets a browser find its session again after a reload, without an id in the address.
export default function remember({ data }) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `rater=${data.token}; path=/; max-age=2592000; SameSite=Lax${secure}`;
}
