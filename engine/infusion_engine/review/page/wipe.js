// The wipe: two pictures of one frame over each other, and where between them the line stands.
(() => {
  const frames = JSON.parse(document.getElementById("wipe-frames").textContent);
  const element = (id) => document.getElementById(id);
  const stage = element("stage"), slider = element("frame"), split = element("split");
  const kept = new Map(); // pictures by path: decoded once, so that playing does not flicker
  let view = "close", wanted = "", timer = 0;

  const picture = (name) => {
    const path = `${stage.dataset.pictures}/${name}`;
    if (!kept.has(path)) {
      const image = new Image();
      image.src = path;
      image.alt = name;
      kept.set(path, image);
    }
    return kept.get(path);
  };

  // A whole number of screen pixels for each pixel where there is room, else as large as fits.
  const fit = (image) => {
    const width = image.naturalWidth, height = image.naturalHeight;
    if (!width) return;
    const room = Math.min(stage.parentElement.clientWidth / width, innerHeight * 0.72 / height);
    const zoom = room >= 1 ? Math.min(Math.floor(room), 8) : room;
    stage.style.width = `${width * zoom}px`;
    stage.style.height = `${height * zoom}px`;
    stage.classList.toggle("sharp", zoom > 1);
    element("zoom").textContent = `${width} × ${height}, shown at ${Math.round(zoom * 100)} %`;
  };

  const show = async () => {
    const frame = frames[Number(slider.value)];
    element("number").textContent = frame.frame;
    const pair = frame[view].map(picture);
    wanted = pair[0].src;
    try {
      await Promise.all(pair.map((image) => image.decode()));
    } catch {
      return; // a picture that is gone: the last one stays
    }
    if (wanted !== pair[0].src) return;
    element("before").replaceChildren(pair[0]);
    element("after").replaceChildren(pair[1]);
    fit(pair[0]);
  };

  const wipe = (share) => {
    split.value = share;
    stage.style.setProperty("--split", `${share}%`);
  };

  const step = (by) => {
    slider.value = (Number(slider.value) + by + frames.length) % frames.length;
    return show();
  };

  const play = () => {
    element("play").textContent = timer ? "Play" : "Pause";
    if (timer) {
      clearInterval(timer);
      timer = 0;
    } else {
      frames.forEach((frame) => frame[view].forEach(picture));
      timer = setInterval(() => step(1), 1000 / 24);
    }
  };

  const drag = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const box = stage.getBoundingClientRect();
    wipe(Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width)));
    event.preventDefault();
  };

  const keys = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    " ": play,
    1: () => wipe(100),
    2: () => wipe(0),
    3: () => wipe(50),
  };

  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  stage.addEventListener("pointermove", drag);
  slider.addEventListener("input", show);
  split.addEventListener("input", () => wipe(Number(split.value)));
  element("play").addEventListener("click", play);
  for (const radio of document.getElementsByName("view")) {
    radio.addEventListener("change", () => {
      view = radio.value;
      radio.blur();
      show();
    });
  }
  addEventListener("keydown", (event) => {
    const act = keys[event.key];
    const isTyping = event.target instanceof HTMLInputElement || event.target === element("play");
    if (!act || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  addEventListener("resize", () => {
    const shown = element("before").firstElementChild;
    if (shown) fit(shown);
  });
  show();
})();
