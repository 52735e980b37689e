// What extensions may rely on in the page of a host.
function gradioApp() {
    const app = document.getElementsByTagName("gradio-app")[0] || document;
    return app.shadowRoot || document;
}
function get_tab_index(id) {
    const buttons = gradioApp().getElementById(id).querySelector("div").querySelectorAll("button");
    return Math.max(0, Array.from(buttons).findIndex((button) => button.classList.contains("selected")));
}
function create_submit_args(args) { return Array.from(args); }
function randomId() { return "task(" + Math.random().toString(36).slice(2) + ")"; }
function submit() { return create_submit_args(arguments); }
function submit_img2img() { return create_submit_args(arguments); }
function get_img2img_tab_index() {
    const values = Array.from(arguments);
    values.splice(-2);
    values[0] = get_tab_index("mode_img2img");
    return values;
}
function onUiLoaded(callback) {
    const timer = setInterval(() => {
        if (gradioApp().querySelector("#txt2img_prompt textarea")) {
            clearInterval(timer);
            callback();
        }
    }, 100);
}
