import { mount } from 'svelte';
import App from './App.svelte';
import './style.css';

const target = document.querySelector('#console');
if (target) mount(App, { target });
